//! Latencies, counted in buckets that grow with the value: within 1.6 % at any size, in fixed memory.

use std::time::Duration;

/// Buckets per doubling, as a power of two.
const FINE: u32 = 6;
const BUCKETS: usize = 64 << FINE;

/// How often each latency was seen.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// Nothing seen.
    pub fn new() -> Self {
        Histogram {
            counts: vec![0; BUCKETS],
            total: 0,
        }
    }

    /// Counts one latency.
    pub fn add(&mut self, latency: Duration) {
        let at = bucket(latency.as_nanos() as u64);
        if let Some(count) = self.counts.get_mut(at) {
            *count += 1;
            self.total += 1;
        }
    }

    /// The latency, in seconds, that this share of all did not exceed; NaN if there was none.
    pub fn quantile(&self, share: f64) -> f64 {
        let wanted = (self.total as f64 * share).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (at, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return lower_bound(at) as f64 / 1e9;
            }
        }
        f64::NAN
    }
}

fn bucket(nanos: u64) -> usize {
    let magnitude = nanos.max(1).ilog2();
    match magnitude.checked_sub(FINE) {
        None => nanos as usize,
        Some(shift) => {
            (((shift + 1) as usize) << FINE) + ((nanos >> shift) as usize & ((1 << FINE) - 1))
        }
    }
}

fn lower_bound(bucket: usize) -> u64 {
    let (row, rest) = (bucket >> FINE, (bucket & ((1 << FINE) - 1)) as u64);
    match row.checked_sub(1) {
        None => rest,
        Some(shift) => ((1 << FINE) + rest) << shift,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_in_order_and_hold_their_lower_bound() {
        for nanos in [
            0,
            1,
            63,
            64,
            65,
            127,
            128,
            1_000,
            220_000,
            5_000_000_000,
            u64::MAX,
        ] {
            let low = lower_bound(bucket(nanos));
            assert!(low <= nanos && nanos - low <= nanos / 64, "{nanos}: {low}");
        }
    }

    #[test]
    fn quantiles_of_a_ramp() {
        let mut histogram = Histogram::new();
        for micros in 1..=1_000 {
            histogram.add(Duration::from_micros(micros));
        }
        assert!((histogram.quantile(0.5) * 1e6 - 500.0).abs() < 10.0);
        assert!((histogram.quantile(0.99) * 1e6 - 990.0).abs() < 20.0);
        assert!(Histogram::new().quantile(0.5).is_nan());
    }
}
