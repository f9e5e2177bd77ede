//! Any bytes as choices of the generator behind `mpusim fuzz`, and of guests on other PEs that rewrite event words, control
//! blocks, links and heads just before the hypervisor accesses them.
#![no_main]

use campaign::fuzz::Bytes;
use campaign::fuzz::Recipe;
use campaign::fuzz::STRATEGIES;
use campaign::fuzz::check_tampered;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let [first, others @ ..] = STRATEGIES;
    let Ok(recipe) = Recipe::new(first, &others, 32) else { panic!("the strategies are known") };
    if let Some(wrong) = check_tampered(&mut Bytes(bytes), &recipe) {
        panic!("{wrong:#?}");
    }
});
