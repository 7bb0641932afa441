//! Development: runs scenarios and prints what goes wrong.
use peakdrill_simulator::*;
use std::time::Instant;
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let kind = match args[0].as_str() {
        "single" => Kind::Single,
        "two" => Kind::Two,
        _ => Kind::Control,
    };
    let seeds: Vec<u64> = args[1].split('-').map(|s| s.parse().unwrap()).collect();
    let damage = match args[2].as_str() {
        "skew" => Damage::LossAndSkew(500.0),
        "loss" => Damage::Loss(0.05),
        _ => Damage::Clean,
    };
    let only = args.get(3).cloned().unwrap_or_default();
    let verbose = args.get(4).is_some();
    let (mut n, mut right, mut naive) = (0, 0, vec![0; NAIVE.len()]);
    let mut errors = Vec::new();
    let mut covered = 0;
    let mut by: std::collections::BTreeMap<&str, (u32, u32)> = Default::default();
    for topology in Topology::ALL
        .into_iter()
        .filter(|t| if only.is_empty() { !t.held_out() } else { t.name().contains(&only) })
    {
        for seed in seeds[0]..=seeds[1] {
            let t = Instant::now();
            let s = Scenario::new(topology, kind, seed);
            let o = judge(s, damage);
            n += 1;
            let r = o.right();
            right += u32::from(r);
            let e = by.entry(topology.name()).or_default();
            e.0 += 1;
            e.1 += u32::from(r);
            for (i, x) in o.naive.iter().enumerate() {
                naive[i] += u32::from(*x);
            }
            let cap = o.capacity();
            if let Some((e, l, h)) = cap {
                errors.push((e - 1.0).abs());
                covered += u32::from(l <= 1.0 && h >= 1.0);
            }
            let bad = o.not_conserved > 0
                || o.amplification.0 > 0.03
                || o.amplification.1 > 0
                || o.little.0 > 0.02
                || o.little.1 > 0.02;
            let capbad = cap.is_some_and(|(e, l, h)| (e - 1.0).abs() > 0.06 || l > 1.0 || h < 1.0)
                || (cap.is_none() && o.scenario.capacity.is_some());
            if !r || verbose || bad || capbad {
                println!(
                    "{} {} {:?} {:?} planted {:?} {:?} rank {:?} {:?} cap {:?} little {:.3} {:.3} path {:.4?} ampl {:?} cons {} naive {:?} {} ms",
                    topology.name(),
                    seed,
                    kind,
                    if r { "ok" } else { "WRONG" },
                    o.scenario.names(),
                    o.scenario.limit,
                    o.rank(),
                    o.analysis.summary.state,
                    cap.map(|(a, b, c)| format!("{a:.3} {b:.3}..{c:.3}")),
                    o.little.0,
                    o.little.1,
                    o.path_overlap,
                    o.amplification,
                    o.not_conserved,
                    o.naive,
                    t.elapsed().as_millis()
                );
                if !r || verbose {
                    println!("   {}", o.analysis.summary.because.join("; "));
                    for b in o.analysis.bottlenecks.iter().take(3).chain(
                        o.analysis
                            .bottlenecks
                            .iter()
                            .skip(3)
                            .filter(|b| o.scenario.names().contains(&b.node.as_str())),
                    ) {
                        println!(
                            "   {} {:?} share {:.2?} cap {:?} | {}",
                            b.node,
                            b.verdict,
                            b.share.estimate,
                            b.capacity_per_s.estimate.map(|c| c.round()),
                            b.evidence.join(" | ")
                        );
                    }
                }
            }
        }
    }
    errors.sort_by(f64::total_cmp);
    println!(
        "right {right} of {n}; naive {naive:?}; cap median error {:?} n {} covered {}",
        errors.get(errors.len() / 2),
        errors.len(),
        covered
    );
    println!("{by:?}");
}
