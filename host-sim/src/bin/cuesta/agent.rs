//! `cuesta agent`: in the path of files.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::Duration;

use cuesta::cache::{CacheOptions, Spill};
use cuesta::volume::Budget;
use cuesta_sim::agent::{Agent, Engine, EngineRoom, Served};
use cuesta_sim::leveled::LeveledOptions;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::arguments;
use crate::failure::{tell, Failure};
use crate::resources::{self, named, Named, Opened};

const AFTER_HELP: &str = "\
Prints the directory as soon as it is mounted. What is there before stays there: names and attributes, and the data of files \
that no rule names, pass through to the source, by default the directory itself. The data of files that a rule names is served \
by the engine at the level that the rule gives: ephemeral data never reaches the source, and is gone when the agent ends, \
unless its file is renamed to where it is durable. Rules see paths from the directory on: /tmp/x for DIRECTORY/tmp/x; and the \
name of the program. SIGHUP reads the policy again. Needs root, and a kernel with FUSE.

Example:
  echo 'rule dir \"/tmp/**\" | dir \"/tmp\" & app \"cc*\" -> ephemeral' > rules
  cuesta agent --mount /srv/build --on ram:64M --policy rules";

/// How often the agent looks whether it is to do something else.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The directory that programs use
    #[arg(long, value_name = "DIRECTORY")]
    mount: PathBuf,
    /// The directory in which the files are [default: the one that is mounted over]
    #[arg(long, value_name = "DIRECTORY")]
    source: Option<PathBuf>,
    /// Where the engine keeps data: a disk image, whose contents are lost, or ram:BYTES such as ram:64M
    #[arg(long, value_name = "DISK|ram:BYTES", value_parser = named, requires = "policy")]
    on: Option<Named>,
    /// Rules that give files their levels, in a file; without, everything passes
    #[arg(long, value_name = "FILE", requires = "on")]
    policy: Option<PathBuf>,
    /// Memory for the engine on a disk image: full, minimum, or bytes such as 16K
    #[arg(long, value_name = "BYTES", default_value = "full", value_parser = arguments::budget)]
    ram: Budget,
}

/// What the signals ask for.
#[derive(Debug)]
struct Wishes {
    stop: Arc<AtomicBool>,
    reload: Arc<AtomicBool>,
}

impl Wishes {
    fn new() -> Result<Self, Failure> {
        let wishes = Self {
            stop: Arc::default(),
            reload: Arc::default(),
        };
        for (signal, flag) in [
            (SIGTERM, &wishes.stop),
            (SIGINT, &wishes.stop),
            (SIGHUP, &wishes.reload),
        ] {
            signal_hook::flag::register(signal, Arc::clone(flag))
                .map_err(|error| Failure::new(format!("cannot handle signal {signal}: {error}")))?;
        }
        Ok(wishes)
    }
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let wishes = Wishes::new()?;
    let (Some(on), Some(rules)) = (&arguments.on, &arguments.policy) else {
        return attend(arguments, None, &wishes, out);
    };
    if !matches!(on, Named::Ram(_) | Named::Disk(_)) {
        return Err(Failure::usage(
            "--on is a disk image or ram:BYTES: what is there is lost",
        ));
    }
    let policy = resources::policy(rules)?;
    let mut opened = Opened::open(on, arguments.ram)?;
    let sector_bytes = resources::sector_bytes(&[&opened]);
    let options = LeveledOptions {
        cache: CacheOptions {
            page_sectors: 1,
            spill: Spill::Refuse,
            ..CacheOptions::default()
        },
        ..LeveledOptions::default()
    };
    let served = opened.with(sector_bytes, |store| {
        let (engine, room) = Engine::new(sector_bytes);
        std::thread::scope(|scope| {
            let working = scope.spawn(|| EngineRoom::serve(room, store, policy, &options));
            let attended = attend(arguments, Some(engine), &wishes, out);
            let served = working
                .join()
                .map_err(|_| Failure::new("the engine has failed in a way it should not"))?
                .map_err(|error| Failure::new(error.to_string()))?;
            attended.map(|()| served)
        })
    })?;
    let _ = writeln!(out, "{}", told(&served)).and_then(|()| out.flush());
    Ok(())
}

/// Mounts, and waits until it is told to end.
fn attend(
    arguments: &Arguments,
    engine: Option<Engine>,
    wishes: &Wishes,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let source = arguments.source.as_ref().unwrap_or(&arguments.mount);
    let agent = Agent::mount(source, &arguments.mount, engine.clone())?;
    // Whoever started this may wait for the line.
    let _ = writeln!(out, "{}", arguments.mount.display()).and_then(|()| out.flush());
    let mut told_busy = false;
    while !agent.has_ended() {
        if wishes.reload.swap(false, Ordering::Relaxed) {
            reload(arguments, engine.as_ref(), out);
        }
        if wishes.stop.load(Ordering::Relaxed) {
            if agent.unmount()? {
                break;
            }
            if !told_busy {
                told_busy = true;
                let mount = arguments.mount.display();
                tell(&format!(
                    "{mount} is in use: it is unmounted when it is not"
                ));
            }
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    agent.join()?;
    Ok(())
}

/// Reads the policy again. One that is wrong is told, and the one before stays in force.
fn reload(arguments: &Arguments, engine: Option<&Engine>, out: &mut dyn Write) {
    let (Some(engine), Some(rules)) = (engine, &arguments.policy) else {
        return;
    };
    match resources::policy(rules) {
        Ok(policy) => {
            if engine.replace_policy(policy) {
                let _ = writeln!(out, "policy: {}", rules.display()).and_then(|()| out.flush());
            }
        }
        Err(Failure::Told { line, .. }) => tell(&line),
        Err(Failure::NobodyReads) => {}
    }
}

fn told(served: &Served) -> String {
    let counters = &served.counters;
    format!(
        "stopped: {} files classified; {} reads from the cache, {} from the source; {} writes to the cache's pages, {} pages written to the source",
        served.contexts,
        counters.read_hits,
        counters.read_misses,
        counters.write_hits + counters.write_misses,
        counters.cleaned
    )
}
