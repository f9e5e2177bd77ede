//! All rows.

use super::row::{E1, NO, Numbers, Role, Row, Trap, row};
use super::{control, debug, identification, mpu, timers};
use crate::a64::SysEncoding;

/// The tables, one for each file.
const TABLES: [&[Row]; 5] = [identification::ROWS, control::ROWS, mpu::ROWS, timers::ROWS, debug::ROWS];

/// How many registers there are.
#[allow(clippy::indexing_slicing, reason = "it is evaluated when the crate is built")]
pub(crate) const COUNT: usize = {
    let (mut count, mut table) = (0, 0);
    while table < TABLES.len() {
        count += TABLES[table].len();
        table += 1;
    }
    count
};

/// Every register, by encoding.
pub(crate) static ROWS: [Row; COUNT] = sorted();

#[allow(clippy::indexing_slicing, reason = "it is evaluated when the crate is built")]
const fn sorted() -> [Row; COUNT] {
    let mut rows = [row("", [0; 5], NO, NO, Trap::Nothing, Role::NotBuilt); COUNT];
    let (mut count, mut table) = (0, 0);
    while table < TABLES.len() {
        let mut index = 0;
        while index < TABLES[table].len() {
            let one = TABLES[table][index];
            let mut place = count;
            while place > 0 && rows[place - 1].encoding.0 > one.encoding.0 {
                rows[place] = rows[place - 1];
                place -= 1;
            }
            rows[place] = one;
            count += 1;
            index += 1;
        }
        table += 1;
    }
    rows
}

/// Where a register is in [`ROWS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(pub(super) usize);

/// The place of a register that is known to be there. For constants: it must be, or the build fails.
#[allow(clippy::indexing_slicing, reason = "it is evaluated when the crate is built")]
pub(super) const fn place(numbers: Numbers) -> Place {
    const SORTED: [Row; COUNT] = sorted();
    let [op0, op1, crn, crm, op2] = numbers;
    let encoding = SysEncoding::new(op0, op1, crn, crm, op2);
    let mut index = 0;
    while SORTED[index].encoding.0 != encoding.0 {
        index += 1;
    }
    Place(index)
}

/// What reserved ID registers do.
static RESERVED_ID: Row = row("reserved ID register", [3, 0, 0, 1, 0], E1, NO, Trap::Tid3, Role::Constant(0));

/// The register of an encoding and its place, if there is one.
pub(crate) fn find(encoding: SysEncoding) -> Option<(Place, &'static Row)> {
    if let Ok(index) = ROWS.binary_search_by_key(&encoding.0, |row| row.encoding.0) {
        return ROWS.get(index).map(|row| (Place(index), row));
    }
    let reserved =
        encoding.op0() == 3 && encoding.op1() == 0 && encoding.crn() == 0 && (1..8).contains(&encoding.crm());
    reserved.then_some((Place(usize::MAX), &RESERVED_ID))
}

/// The name of a register, if there is one.
#[must_use]
pub fn name(encoding: SysEncoding) -> Option<&'static str> {
    find(encoding).map(|(_, row)| row.name)
}
