//! A thousand power cuts, each followed by recovery and a look at all that it could have touched.

use std::io::Write;

use cuesta_sim::{CutPhase, CutPlan, OperationClass};

use super::session::{Session, Stop};
use super::Demo;
use crate::failure::Failure;
use crate::progress::Progress;

/// Cuts between two verifications of every sector.
const VERIFY_INTERVAL: u32 = 100;
/// Sectors looked at after each cut beside those that it could have touched.
const SAMPLE: u32 = 64;
/// Programs and erases before a cut, at most: one of these, so that the mount, the recovery and the load all have their share.
const CHANGES_MAX: [u64; 3] = [16, 64, 512];
/// Operations of any kind before a cut, at most: reads count too, of which a mount has many.
const OPERATIONS_MAX: u64 = 512;

/// How far a power session came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    Mounting,
    Recovering,
    Serving,
}

pub fn cut(demo: &mut Demo, cuts: u32, out: &mut dyn Write) -> Result<(), Failure> {
    let mut progress = Progress::new("cutting the power", false);
    let (mut mounting, mut recovering, mut serving) = (0, 0, 0);
    for number in 0..cuts {
        progress.set(u64::from(number), u64::from(cuts));
        let plan = draw_plan(demo);
        demo.nand.plan_cut(plan);
        match power_session(demo, number)? {
            Reached::Mounting => mounting += 1,
            Reached::Recovering => recovering += 1,
            Reached::Serving => serving += 1,
        }
        demo.nand.power_cycle();
    }
    // The cut of the last session is recovered from like all others.
    let mut session = Session::mount(demo)?;
    session.first_write()?;
    session.verify_suspects(SAMPLE)?;
    session.unmount()?;
    drop(progress);
    writeln!(
        out,
        "  cut          the power {cuts} times at random operations: {serving} under load, {recovering} in recovery, {mounting} \
         while mounting; everything acknowledged was there each time"
    )?;
    Ok(())
}

fn draw_plan(demo: &mut Demo) -> CutPlan {
    let prng = &mut demo.prng;
    let (index, class) = match CHANGES_MAX.get(prng.below(4) as usize) {
        Some(&most) => (prng.below(most), OperationClass::Changing),
        None => (prng.below(OPERATIONS_MAX), OperationClass::Any),
    };
    let phase = match prng.below(4) {
        0 => CutPhase::Before,
        1 => CutPhase::After,
        _ => CutPhase::During,
    };
    CutPlan::during(index, prng.next())
        .phase(phase)
        .counting(class)
}

/// From power to cut.
fn power_session(demo: &mut Demo, number: u32) -> Result<Reached, Failure> {
    let mut reached = Reached::Mounting;
    match play(demo, number, &mut reached) {
        Ok(never) => match never {},
        Err(Stop::Cut) => Ok(reached),
        Err(Stop::Wrong(Failure::Told { line, exit })) => Err(Failure::Told {
            line: format!("after {number} power cuts: {line}"),
            exit,
        }),
        Err(Stop::Wrong(failure)) => Err(failure),
    }
}

fn play(
    demo: &mut Demo,
    number: u32,
    reached: &mut Reached,
) -> Result<std::convert::Infallible, Stop> {
    let writes_first = demo.prng.chance(1, 2);
    let mut session = Session::try_mount(demo)?;
    *reached = Reached::Recovering;
    if writes_first {
        session.first_write()?;
    }
    session.verify_suspects(SAMPLE)?;
    if number % VERIFY_INTERVAL == VERIFY_INTERVAL - 1 {
        session.verify_all("verifying")?;
    }
    *reached = Reached::Serving;
    loop {
        session.request()?;
    }
}
