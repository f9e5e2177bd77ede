//! Any bytes as choices of the generator behind `mpusim fuzz`: typed sequences of hypercalls, held against the reference model
//! of the ABI and the isolation oracle after every step.
#![no_main]

use campaign::fuzz::Bytes;
use campaign::fuzz::Recipe;
use campaign::fuzz::STRATEGIES;
use campaign::fuzz::check;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [first, others @ ..] = STRATEGIES;
    let Ok(recipe) = Recipe::new(first, &others, 64) else { panic!("the strategies are known") };
    if let Some(wrong) = check(&mut Bytes(bytes), &recipe) {
        panic!("{wrong:#?}");
    }
});
