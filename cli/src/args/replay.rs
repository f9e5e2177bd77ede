//! `replay`.

use super::shared::Format;
use clap::{Args, ValueEnum};
use conformance::MAX_PES;
use std::path::PathBuf;

/// `replay`.
#[derive(Debug, Args)]
pub struct Replay {
    /// Vector files, or folders of them.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,

    /// The strategy, as run --strategy takes it.
    #[arg(long, default_value = "map-page")]
    pub strategy: String,

    /// Replay under every strategy that can, in all forms; those that cannot are listed with the reason.
    #[arg(long, conflicts_with_all = ["strategy", "placement", "xen_transcript"])]
    pub every_strategy: bool,

    /// PEs of the machine; vCPU v of the n-th domain lives on PE (n + v) modulo this.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=MAX_PES as i64))]
    pub pes: u8,

    /// Where `shared_info` and what domains hand over live [default: where the strategy needs it, else guest-ram].
    #[arg(
        long,
        value_enum,
        help = "Where shared_info and what domains hand over live [default: where the strategy needs it, else guest-ram]"
    )]
    pub placement: Option<PlacementArg>,

    /// What brings a register write into force: a DSB and a context synchronisation event, or the latter alone.
    #[arg(long, value_enum, default_value_t = SyncArg::DsbCse)]
    pub sync: SyncArg,

    /// The architecture of the PEs and their MPUs.
    #[arg(long, value_enum, default_value_t = ArchArg::V64)]
    pub arch: ArchArg,

    /// The files are transcripts of a running Xen: compare every record, and tell known differences from others.
    #[arg(long, conflicts_with = "skip_unsupported")]
    pub xen_transcript: bool,

    /// Leave out files that need something unsupported, and count them, instead of refusing.
    #[arg(long)]
    pub skip_unsupported: bool,

    /// How to print the result.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Where `shared_info` and what domains hand over live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlacementArg {
    /// In the guests' own memory.
    GuestRam,
    /// In a range beside the heap.
    Pool,
    /// At the top of the heap.
    Heap,
}

/// What brings a register write into force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SyncArg {
    /// A DSB, then a context synchronisation event.
    #[value(name = "dsb+cse")]
    DsbCse,
    /// A context synchronisation event alone.
    Cse,
}

/// The architecture of PEs and MPUs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ArchArg {
    /// Armv8-R `AArch64`.
    #[value(name = "pmsav8-64", help = "Armv8-R AArch64")]
    V64,
    /// Armv8-R `AArch32`.
    #[value(name = "pmsav8-32", help = "Armv8-R AArch32")]
    V32,
}
