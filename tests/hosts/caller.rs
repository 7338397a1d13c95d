// Asks as Rust programs do. The standard library is linked statically: its clocks have no dynamic symbol.
use std::time::{Instant, SystemTime};

#[no_mangle]
#[inline(never)]
pub fn asks_3000_times() -> u64 {
    let mut sum = 0;
    for _ in 0..1500 {
        sum ^= Instant::now().elapsed().as_nanos() as u64; // two calls
    }
    sum
}

#[no_mangle]
#[inline(never)]
pub fn asks_the_day_700_times() -> u64 {
    let mut sum = 0;
    for _ in 0..700 {
        sum ^= SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64);
    }
    sum
}

fn main() {
    let sum = asks_3000_times() ^ asks_the_day_700_times();
    println!("sum {sum}");
    println!("calls {} 3700", std::process::id());
}
