//! Profiles as they are named on the command line: `counts`, `r52-s32z:barrier-share=60`, `mine.toml:dsb=120`.

use super::{Key, MAX_CYCLES, Profile, read};
use crate::LoadError;
use std::path::Path;
use thiserror::Error;
use words::near;

/// The profiles that come with mpusim: name, and text of the file.
pub const SHIPPED: [(&str, &str); 3] = [
    ("counts", include_str!("../../profiles/counts.toml")),
    ("r52-s32z", include_str!("../../profiles/r52-s32z.toml")),
    ("r82-assumed", include_str!("../../profiles/r82-assumed.toml")),
];

/// The parameter of a fitted profile.
const BARRIER_SHARE: &str = "barrier-share";

/// Why a profile was not taken.
#[derive(Clone, Debug, Error)]
pub enum ProfileError {
    /// Neither a profile that comes with mpusim nor a file.
    #[error("there is no profile {name:?}; {}, and files named by a path that ends in .toml", near::there_are(name, &names()))]
    Unknown {
        /// What was typed.
        name: String,
    },
    /// What is behind the colon means nothing.
    #[error("--profile {profile} does not take {setting:?}: {expected}")]
    Setting {
        /// The profile.
        profile: String,
        /// What was typed.
        setting: String,
        /// What could be.
        expected: String,
    },
    /// The file is wrong.
    #[error(transparent)]
    Load(#[from] LoadError),
}

fn names() -> [&'static str; SHIPPED.len()] {
    SHIPPED.map(|(name, _)| name)
}

/// The profile that `text` names: one that comes with mpusim or a file, and behind a colon what is changed of it.
pub fn choose(text: &str) -> Result<Profile, ProfileError> {
    // A path may have colons of its own.
    let (name, settings) = match text.rsplit_once(':') {
        Some((name, settings)) if !settings.contains(['/', '\\']) && !Path::new(text).exists() => {
            (name, Some(settings))
        }
        _ => (text, None),
    };
    let mut profile = load(name)?;
    for setting in settings.iter().flat_map(|settings| settings.split(',')) {
        profile = changed(&profile, name, setting)?;
    }
    if let Some(settings) = settings {
        profile.name = format!("{}:{settings}", profile.name);
    }
    Ok(profile)
}

fn load(name: &str) -> Result<Profile, ProfileError> {
    if let Some((name, text)) = SHIPPED.iter().find(|(shipped, _)| *shipped == name) {
        return Ok(read::from_text(Path::new(&format!("{name}.toml")), text)?);
    }
    let path = Path::new(name);
    let is_file = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) || path.exists();
    if !is_file {
        return Err(ProfileError::Unknown { name: name.into() });
    }
    Ok(read::from_text(path, &crate::read(path, "profile")?)?)
}

fn changed(profile: &Profile, name: &str, setting: &str) -> Result<Profile, ProfileError> {
    let refuse = |expected: String| ProfileError::Setting { profile: name.into(), setting: setting.into(), expected };
    let Some((key, value)) = setting.split_once('=') else {
        return Err(refuse(format!("expected NAME=CYCLES or {BARRIER_SHARE}=PERCENT")));
    };
    let number = crate::number(value);
    if key == BARRIER_SHARE {
        if profile.fit().is_none() {
            return Err(refuse("it has no sum to which barriers and writes are fitted, or a part of it is set".into()));
        }
        let share = number.and_then(|percent| profile.with_barrier_share(percent));
        return share.ok_or_else(|| refuse("expected a percentage from 0 to 100".into()));
    }
    let Some(key) = Key::from_name(key) else {
        let known: Vec<&str> = Key::ALL.iter().map(|key| key.name()).collect();
        return Err(refuse(format!("expected {BARRIER_SHARE} or a figure: {}", known.join(", "))));
    };
    let cycles = number.filter(|cycles| *cycles <= MAX_CYCLES);
    let cycles = cycles.ok_or_else(|| refuse(format!("expected cycles from 0 to {MAX_CYCLES}")))?;
    Ok(profile.with_figure(key, cycles))
}
