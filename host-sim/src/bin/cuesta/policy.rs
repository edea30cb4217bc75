//! `cuesta policy`: the policy of a disk, or one in a file, checked, set, shown, explained.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use cuesta::cache::Mode;
use cuesta::exec::{Advice, LevelNumber};
use cuesta::policy::{
    load, save, Asked, AskedLevel, AskedRedundancy, Facts, Flags, Lifetime, Operation, PolicyTable,
    RuleNumber, StorageLevels,
};
use cuesta::volume::Budget;
use cuesta_sim::control::{Call, Verb};
use cuesta_sim::{policy_file, Chip};

use crate::arguments;
use crate::disk::{unmount, DiskArguments, DiskFile, ImageDisk};
use crate::failure::Failure;
use crate::size;

const EXAMPLE: &str = "\
A policy is text such as

  level vital = write-through mirror=2 storage:vital verify
  level scratch = ephemeral revert
  rule path \"/tmp/**\" | ext \"tmp\" & app \"cc*\" -> scratch
  rule op write & size 1M.. & !flag sync -> vital
  default -> write-through

or, in a file whose name ends in .toml, the same as [[level]] name, is; [[rule]] when, level; default.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Read a policy from a file, tell what is wrong with it, or how large it is
    Check(CheckArguments),
    /// Store the policy of a file with a disk, in place of the one before; or put it in force where a disk is served
    #[command(
        override_usage = "cuesta policy set [OPTIONS] <DISK> <FILE|--none>\n       cuesta policy set --control <PATH> [--export <NAME>] <FILE>"
    )]
    Set(SetArguments),
    /// Print the policy of a disk as text, or the one in force where a disk is served
    Show(ShowArguments),
    /// Tell which level a request gets, by which rule, and why
    Explain(Box<ExplainArguments>),
    /// Tell how often each rule has decided where a disk is served, and why requests were not kept in the cache
    Counters(CountersArguments),
}

/// A server that takes calls.
#[derive(Debug, Clone, clap::Args)]
struct ServerArguments {
    /// The server that takes calls at this socket: `cuesta serve --control PATH`
    #[arg(long, value_name = "PATH")]
    control: Option<PathBuf>,
    /// Its export of this name [default: the only one]
    #[arg(long, value_name = "NAME", requires = "control")]
    export: Option<String>,
}

impl ServerArguments {
    /// Calls the server at a socket; its answer.
    fn call(&self, path: &Path, verb: Verb, text: String) -> Result<String, Failure> {
        let call = Call {
            verb,
            export: self.export.clone(),
            text,
        };
        match call.make(path) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(refusal)) => Err(Failure::new(refusal)),
            Err(error) => Err(Failure::of(path, error)),
        }
    }

    /// The policy in force there.
    fn policy(&self, path: &Path) -> Result<PolicyTable<Vec<u8>>, Failure> {
        let text = self.call(path, Verb::Show, String::new())?;
        policy_file::from_text(&text, StorageLevels::UNKNOWN)
            .map_err(|error| Failure::of(path, error))
    }
}

#[derive(Debug, clap::Args)]
struct ShowArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// The image file
    #[arg(
        value_name = "DISK",
        required_unless_present = "control",
        conflicts_with = "control"
    )]
    path: Option<PathBuf>,
    /// Refuse an image of another chip than this
    #[arg(long, value_name = "NAME", value_parser = arguments::chip_named)]
    chip: Option<&'static Chip>,
}

#[derive(Debug, clap::Args)]
struct CountersArguments {
    /// The server that takes calls at this socket: `cuesta serve --control PATH`
    #[arg(long, value_name = "PATH")]
    control: PathBuf,
    /// Its export of this name [default: the only one]
    #[arg(long, value_name = "NAME")]
    export: Option<String>,
}

#[derive(Debug, clap::Args)]
struct CheckArguments {
    /// The policy
    file: PathBuf,
    /// Check the levels of the volume that it names against those of this disk
    #[arg(long, value_name = "DISK")]
    disk: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct SetArguments {
    #[command(flatten)]
    server: ServerArguments,
    /// The image file; with --control the policy
    #[arg(value_name = "DISK")]
    first: PathBuf,
    /// The policy
    #[arg(value_name = "FILE", required_unless_present_any = ["none", "control"], conflicts_with_all = ["none", "control"])]
    file: Option<PathBuf>,
    /// Refuse an image of another chip than this
    #[arg(long, value_name = "NAME", value_parser = arguments::chip_named)]
    chip: Option<&'static Chip>,
    /// Remove the policy: everything is write-through
    #[arg(long, conflicts_with = "control")]
    none: bool,
}

#[derive(Debug, clap::Args)]
struct ExplainArguments {
    /// The policy: a file, or the disk that it is stored with
    #[arg(
        value_name = "FILE|DISK",
        required_unless_present = "control",
        conflicts_with = "control"
    )]
    file: Option<PathBuf>,
    #[command(flatten)]
    server: ServerArguments,
    #[command(flatten)]
    request: RequestArguments,
}

/// What is known of a request.
#[derive(Debug, clap::Args)]
struct RequestArguments {
    /// The path of the file
    #[arg(long)]
    path: Option<String>,
    /// Its name alone
    #[arg(long, conflicts_with = "path")]
    name: Option<String>,
    /// The application
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// The volume's name
    #[arg(long, value_name = "NAME")]
    volume: Option<String>,
    /// What a profiler says of the source; several with commas
    #[arg(
        long,
        value_name = "NAMES",
        default_value = "",
        hide_default_value = true
    )]
    profile: String,
    /// The tenant
    #[arg(long, value_name = "N")]
    tenant: Option<u32>,
    /// The identifier of the file
    #[arg(long, value_name = "N")]
    object: Option<u64>,
    /// Its sectors, FIRST or FIRST+COUNT
    #[arg(long, value_name = "FIRST+COUNT", value_parser = sectors)]
    sector: Option<(u64, u64)>,
    /// Its bytes, such as 64K
    #[arg(long, value_name = "BYTES", value_parser = size::parse)]
    size: Option<u64>,
    /// Where it begins in the file, in bytes
    #[arg(long, value_name = "BYTES", value_parser = size::parse)]
    offset: Option<u64>,
    /// Its priority
    #[arg(long, value_name = "N")]
    priority: Option<u8>,
    /// read, write, trim or flush
    #[arg(long, value_name = "WHAT", value_parser = operation)]
    op: Option<Operation>,
    /// How long its data is expected to live: short, medium, long or extreme
    #[arg(long, value_name = "HINT", value_parser = lifetime)]
    lifetime: Option<Lifetime>,
    /// paging, non-paging, direct, temporary, sync, delete-on-close, sequential or random; several with commas
    #[arg(long, value_name = "FLAGS", value_delimiter = ',', value_parser = flag)]
    flag: Vec<Flags>,
    /// What it asks for: level:NAME, redundant, single, or a cache mode; several with commas
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    ask: Vec<String>,
}

fn sectors(text: &str) -> Result<(u64, u64), String> {
    let (first, count) = text.split_once('+').unwrap_or((text, "1"));
    first
        .parse()
        .ok()
        .zip(count.parse().ok())
        .ok_or_else(|| "a sector, or FIRST+COUNT such as 100+8, is needed".to_owned())
}

fn named<T: Copy>(text: &str, all: &[(&str, T)]) -> Result<T, String> {
    let found = all.iter().find(|(name, _)| *name == text);
    found.map(|(_, one)| *one).ok_or_else(|| {
        let names: Vec<_> = all.iter().map(|(name, _)| *name).collect();
        format!("one of {} is needed", names.join(", "))
    })
}

fn operation(text: &str) -> Result<Operation, String> {
    named(text, &Operation::ALL.map(|one| (one.name(), one)))
}

fn lifetime(text: &str) -> Result<Lifetime, String> {
    named(text, &Lifetime::ALL.map(|one| (one.name(), one)))
}

fn flag(text: &str) -> Result<Flags, String> {
    let mut bit = 0;
    let all = Flags::NAMES.map(|name| {
        bit += 1;
        (name, Flags(1 << (bit - 1)))
    });
    named(text, &all)
}

impl RequestArguments {
    fn asked(&self) -> Result<Asked<'_>, Failure> {
        let mut asked = Asked::default();
        for word in &self.ask {
            let mode = cuesta::policy::mode_named(word);
            let twice = match (word.strip_prefix("level:"), &word[..], mode) {
                (Some(name), ..) => asked.level.replace(AskedLevel::Name(name)).is_some(),
                (_, "redundant", _) => asked
                    .redundancy
                    .replace(AskedRedundancy::Redundant)
                    .is_some(),
                (_, "single", _) => asked.redundancy.replace(AskedRedundancy::Single).is_some(),
                (.., Some(mode)) => asked.mode.replace(mode).is_some(),
                _ => {
                    return Err(Failure::usage(format!(
                        "--ask {word}: level:NAME, redundant, single, write-through, write-back, ephemeral or bypass is needed"
                    )))
                }
            };
            if twice {
                return Err(Failure::usage(format!(
                    "--ask {word}: a level, a redundancy and a cache mode can be asked for once each"
                )));
            }
        }
        Ok(asked)
    }

    fn facts(&self) -> Result<Facts<'_>, Failure> {
        let mut facts = Facts::new().profiles(&self.profile).asked(self.asked()?);
        if let Some(path) = &self.path {
            facts = facts.path(path);
        }
        if let Some(name) = &self.name {
            facts = facts.name(name);
        }
        if let Some(app) = &self.app {
            facts = facts.application(app);
        }
        if let Some(volume) = &self.volume {
            facts = facts.volume(volume);
        }
        if let Some(tenant) = self.tenant {
            facts = facts.tenant(tenant);
        }
        if let Some(object) = self.object {
            facts = facts.object(object);
        }
        if let Some((first, count)) = self.sector {
            facts = facts.sectors(first, count);
        }
        if let Some(size) = self.size {
            facts = facts.size(size);
        }
        if let Some(offset) = self.offset {
            facts = facts.offset(offset);
        }
        if let Some(priority) = self.priority {
            facts = facts.priority(priority);
        }
        if let Some(op) = self.op {
            facts = facts.operation(op);
        }
        if let Some(lifetime) = self.lifetime {
            facts = facts.lifetime(lifetime);
        }
        Ok(self
            .flag
            .iter()
            .fold(facts, |facts, flag| facts.flags(*flag)))
    }
}

/// Reads and compiles a file.
fn read(path: &Path, storage: StorageLevels<'_>) -> Result<PolicyTable<Vec<u8>>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::of(path, error))?;
    let policy = if policy_file::is_toml(path) {
        policy_file::from_toml(&text, storage)
    } else {
        policy_file::from_text(&text, storage)
    };
    policy.map_err(|error| Failure::of(path, error))
}

/// Warns of rules that never match, and tells how large the policy is.
fn tell(path: &Path, policy: &PolicyTable<Vec<u8>>, out: &mut dyn Write) -> Result<(), Failure> {
    for rule in (0..policy.rules_len()).map(|rule| RuleNumber(rule as u8)) {
        if let Some(why) = policy.unreachable(rule) {
            let number = rule.0 + 1;
            writeln!(out, "warning: rule {number} never decides: {why}")?;
        }
    }
    let back = |mode| mode == Mode::WriteBack;
    for (_, level) in policy
        .levels()
        .filter(|(_, level)| back(level.persistence.mode))
    {
        writeln!(
            out,
            "warning: level {}: in a cache in memory: {}",
            level.name,
            Advice::VolatileWriteBack
        )?;
    }
    let LevelNumber(default) = policy.default_level();
    let name = policy.level(LevelNumber(default));
    writeln!(
        out,
        "{}: {} levels, {} rules, default {}, {} bytes",
        path.display(),
        policy.levels().count(),
        policy.rules_len(),
        name.map_or("?", |level| level.name),
        policy.bytes().len()
    )?;
    Ok(())
}

fn check(arguments: &CheckArguments, out: &mut dyn Write) -> Result<(), Failure> {
    let policy = match &arguments.disk {
        None => read(&arguments.file, StorageLevels::UNKNOWN)?,
        Some(path) => {
            let disk = DiskArguments {
                path: path.clone(),
                chip: None,
            };
            let mut file = DiskFile::open(&disk, Budget::Full)?;
            let disk = file.mount()?;
            let levels = StorageLevels::of(disk.volume());
            read(&arguments.file, StorageLevels::new(&levels))?
        }
    };
    tell(&arguments.file, &policy, out)?;
    if arguments.disk.is_none() {
        writeln!(
            out,
            "What it says of levels of the volume was not checked: --disk DISK does."
        )?;
    }
    Ok(())
}

/// Bytes of the volume's own sectors.
fn system_bytes(disk: &ImageDisk<'_>) -> usize {
    let volume = disk.volume();
    volume.system_sectors() as usize * volume.sector_bytes()
}

/// The policy of a disk.
fn stored(disk: &DiskArguments) -> Result<Option<PolicyTable<Vec<u8>>>, Failure> {
    let mut file = DiskFile::open(disk, Budget::Full)?;
    let mut mounted = file.mount()?;
    let mut buffer = vec![0; system_bytes(&mounted)];
    let policy =
        load(mounted.volume_mut(), &mut buffer).map_err(|error| Failure::of(&disk.path, error))?;
    Ok(policy.map(|policy| policy.to_owned_bytes(policy.bytes().to_vec())))
}

/// Puts a policy in force where a disk is served.
fn set_served(
    arguments: &SetArguments,
    control: &Path,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    let file = &arguments.first;
    let text = std::fs::read_to_string(file).map_err(|error| Failure::of(file, error))?;
    let verb = match policy_file::is_toml(file) {
        true => Verb::SetToml,
        false => Verb::Set,
    };
    let answer = arguments.server.call(control, verb, text);
    let warnings = answer.map_err(|error| Failure::of(file, error.line()))?;
    write!(out, "{warnings}")?;
    writeln!(out, "{}: in force", file.display())?;
    Ok(())
}

fn set(arguments: &SetArguments, out: &mut dyn Write) -> Result<(), Failure> {
    if let Some(control) = &arguments.server.control {
        return set_served(arguments, control, out);
    }
    let path = &arguments.first;
    let disk = DiskArguments {
        path: path.clone(),
        chip: arguments.chip,
    };
    let mut file = DiskFile::open(&disk, Budget::Full)?;
    let mut disk = file.mount()?;
    let levels = StorageLevels::of(disk.volume());
    let policy = match &arguments.file {
        Some(file) => Some(read(file, StorageLevels::new(&levels))?),
        None => None,
    };
    let mut scratch = vec![0; disk.volume().sector_bytes()];
    save(disk.volume_mut(), policy.as_ref(), &mut scratch)
        .map_err(|error| Failure::of(path, error))?;
    unmount(path, disk)?;
    match (&policy, &arguments.file) {
        (Some(policy), Some(file)) => tell(file, policy, out),
        _ => {
            writeln!(
                out,
                "{}: no policy, everything is write-through",
                path.display()
            )?;
            Ok(())
        }
    }
}

fn show(arguments: &ShowArguments, out: &mut dyn Write) -> Result<(), Failure> {
    let server = &arguments.server;
    if let Some(control) = &server.control {
        write!(out, "{}", server.call(control, Verb::Show, String::new())?)?;
        return Ok(());
    }
    let disk = DiskArguments {
        path: arguments.path.clone().unwrap_or_default(),
        chip: arguments.chip,
    };
    match stored(&disk)? {
        Some(policy) => write!(out, "{policy}")?,
        None => writeln!(out, "# no policy is set\ndefault -> write-through")?,
    }
    Ok(())
}

/// True when a file is a disk: policies are text.
fn is_disk(path: &Path) -> Result<bool, Failure> {
    let mut start = [0; 512];
    let read = std::fs::File::open(path)
        .and_then(|mut file| file.read(&mut start))
        .map_err(|error| Failure::of(path, error))?;
    Ok(start[..read].contains(&0))
}

fn explain(arguments: &ExplainArguments, out: &mut dyn Write) -> Result<(), Failure> {
    let path = &arguments.file.clone().unwrap_or_default();
    let policy = if let Some(control) = &arguments.server.control {
        arguments.server.policy(control)?
    } else if is_disk(path)? {
        let disk = DiskArguments {
            path: path.clone(),
            chip: None,
        };
        match stored(&disk)? {
            Some(policy) => policy,
            None => policy_file::from_text("", StorageLevels::UNKNOWN)
                .map_err(|error| Failure::of(path, error))?,
        }
    } else {
        read(path, StorageLevels::UNKNOWN)?
    };
    let facts = arguments.request.facts()?;
    write!(out, "{}", policy.explain(&facts))?;
    match policy.decide(&facts) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(Failure::new(format!("refused: {refusal}"))),
    }
}

pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    match &arguments.command {
        Command::Check(arguments) => check(arguments, out),
        Command::Set(arguments) => set(arguments, out),
        Command::Show(arguments) => show(arguments, out),
        Command::Counters(CountersArguments { control, export }) => {
            let server = ServerArguments {
                control: None,
                export: export.clone(),
            };
            write!(
                out,
                "{}",
                server.call(control, Verb::Counters, String::new())?
            )?;
            Ok(())
        }
        Command::Explain(arguments) => explain(arguments, out),
    }
}
