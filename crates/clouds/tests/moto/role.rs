//! What this program does when a test starts it again.

use std::error::Error;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clouds::Address;
use engine::{Event, FreezeOptions, Listed, Objects, PlanId, Policy, Remote, Sharing, Store};

use crate::toy;

pub(crate) const ROLES: [&str; 7] = [
    "worker",
    "run",
    "open",
    "objects",
    "gc",
    "fill",
    "take part",
];

pub(crate) fn play(args: &[String]) {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let played = match args[..] {
        ["worker"] => engine::serve(&mut toy::Executor, &toy::build()).map_err(Into::into),
        ["run", study, cache, log, address] => run(study, cache, log, address),
        ["open", cache, address] => open(cache, address).map(drop),
        ["objects", address] => objects(address),
        ["gc", days, address] => gc(days, address),
        ["fill", there, plan, cache, log, address] => fill([there, plan], cache, log, address),
        ["take part", plan, cache, log, address] => take_part(plan, cache, log, address),
        _ => Err("what is to be done?".into()),
    };
    if let Err(error) = played {
        let mut text = error.to_string();
        let mut next = error.source();
        while let Some(source) = next {
            text = format!("{text}: {source}");
            next = source.source();
        }
        eprintln!("{text}");
        std::process::exit(1);
    }
}

fn open(cache: &str, address: &str) -> Result<Store, Box<dyn Error>> {
    let mut store = Store::open(Path::new(cache))?;
    let remote = match Address::parse(address) {
        Some(address) => {
            let address = address?;
            Remote::on(address.open()?, &address.to_string(), &store, true)?
        }
        None => Remote::open(Path::new(address), &store)?,
    };
    store.put_before(remote);
    Ok(store)
}

fn study(file: &str) -> Result<Vec<toy::Toy>, Box<dyn Error>> {
    Ok(serde_json::from_slice(&std::fs::read(file)?)?)
}

/// Runs a study without a store, brings its results there, and freezes another one: says the name of the plan.
fn fill(
    [there, plan]: [&str; 2],
    cache: &str,
    log: &str,
    address: &str,
) -> Result<(), Box<dyn Error>> {
    let (kinds, own) = (toy::kinds("1"), Store::open(Path::new(cache))?);
    let options = toy::options(&std::env::current_exe()?, &std::path::absolute(log)?);
    engine::run(
        &toy::graph(&study(there)?),
        &own,
        &kinds,
        &options,
        &mut |_| {},
    )?;
    let store = open(cache, address)?;
    let remote = store.remote().ok_or("a remote was opened")?;
    remote.push(&store, &store.all_results()?)?;
    let options = FreezeOptions {
        study: options.study,
        keep_going: true,
        device: "cpu".to_owned(),
        build: toy::build(),
        program: serde_json::Value::Null,
    };
    let frozen = engine::freeze(&toy::graph(&study(plan)?), &store, &kinds, options)?;
    println!("{}", serde_json::to_string(&frozen.plan_id())?);
    Ok(())
}

/// Takes part in a plan, and says when its first stage begins how often the store was asked until then.
fn take_part(plan: &str, cache: &str, log: &str, address: &str) -> Result<(), Box<dyn Error>> {
    let store = open(cache, address)?;
    let remote = store.remote().ok_or("a remote was opened")?;
    let plan: PlanId = serde_json::from_str(plan)?;
    // As the program finds it by the study's name.
    let plans = remote.plans(Some(&plan.study))?;
    let frozen = remote.plan(plans.last().ok_or("there is no plan")?)?;
    let frozen = Arc::new(frozen.ok_or("there is no plan")?);
    let mut options = toy::options(&std::env::current_exe()?, &std::path::absolute(log)?);
    options.jobs = 1;
    options.sharing = Sharing::default();
    options.frozen = Some(Arc::clone(&frozen));
    engine::run(
        &frozen.graph,
        &store,
        &toy::kinds("1"),
        &options,
        &mut |event| {
            if let Event::Started { .. } = event {
                println!("{}", remote.asked());
            }
        },
    )?;
    Ok(())
}

fn run(study: &str, cache: &str, log: &str, address: &str) -> Result<(), Box<dyn Error>> {
    let toys = self::study(study)?;
    let store = open(cache, address)?;
    let mut options = toy::options(&std::env::current_exe()?, &std::path::absolute(log)?);
    // After an outage a request may be made again half a minute later.
    options.sharing.linger = Duration::from_mins(5);
    let (graph, kinds) = (toy::graph(&toys), toy::kinds("1"));
    let summary = engine::run(&graph, &store, &kinds, &options, &mut |_| {})?;
    let asked = store.remote().map_or(0, |remote| remote.asked());
    println!("{} {} {asked}", summary.ran(), summary.cached());
    Ok(())
}

/// A store that says of all that lies there that it is so much older than it is.
#[derive(Debug)]
struct Older(Box<dyn Objects>, Duration);

impl Older {
    fn time(&self, name: &str, modified: SystemTime) -> SystemTime {
        let is_of_now = name.starts_with("gc/") || name.starts_with("probe/");
        modified - if is_of_now { Duration::ZERO } else { self.1 }
    }
}

impl Objects for Older {
    fn create(&self, name: &str, contents: &mut dyn Read) -> Result<bool, engine::Error> {
        self.0.create(name, contents)
    }

    fn overwrite(&self, name: &str, contents: &mut dyn Read) -> Result<(), engine::Error> {
        self.0.overwrite(name, contents)
    }

    fn read(&self, name: &str) -> Result<Option<Box<dyn Read>>, engine::Error> {
        self.0.read(name)
    }

    fn length(&self, name: &str) -> Result<Option<u64>, engine::Error> {
        self.0.length(name)
    }

    fn modified(&self, name: &str) -> Result<Option<SystemTime>, engine::Error> {
        let modified = self.0.modified(name)?;
        Ok(modified.map(|modified| self.time(name, modified)))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, engine::Error> {
        self.0.list(prefix)
    }

    fn all(&self) -> Result<Vec<Listed>, engine::Error> {
        let mut all = self.0.all()?;
        for object in &mut all {
            object.modified = self.time(&object.name, object.modified);
        }
        Ok(all)
    }

    fn delete(&self, name: &str) -> Result<(), engine::Error> {
        self.0.delete(name)
    }
}

/// Deletes what may go of what is so many days older than it is, and says how much that was and how much is left.
fn gc(days: &str, address: &str) -> Result<(), Box<dyn Error>> {
    let store = Store::open(Path::new("somebody"))?;
    let age = Duration::from_hours(24 * days.parse::<u64>()?);
    let address = Address::parse(address).ok_or("no address")??;
    let objects = Box::new(Older(address.open()?, age));
    let remote = Remote::on(objects, &address.to_string(), &store, true)?;
    let policy = Policy {
        older_than: Some(Duration::ZERO),
        forget: vec!["toy study".to_owned()],
        ..Policy::default()
    };
    let report = remote.gc(&store, &policy, engine::GRACE, true)?;
    println!("{} {}", report.deletions.len(), report.after);
    Ok(())
}

fn objects(address: &str) -> Result<(), Box<dyn Error>> {
    let store = Address::parse(address).ok_or("no address")??.open()?;
    let read = |name: &str| -> Result<Option<Vec<u8>>, Box<dyn Error>> {
        let Some(mut object) = store.read(name)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        object.read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    };
    // Below, at and beyond what one request carries.
    let piece = 8 << 20;
    for bytes in [1, piece - 1, piece, piece + 1, 2 * piece, 20_000_000] {
        let name = format!("cas/of {bytes}%");
        let contents: Vec<u8> = (0..bytes)
            .map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect();
        assert_eq!((store.length(&name)?, read(&name)?), (None, None));
        assert!(store.create(&name, &mut &contents[..])?);
        assert!(!store.create(&name, &mut &b"other"[..])?);
        assert_eq!(store.length(&name)?, Some(u64::from(bytes)));
        assert!(read(&name)? == Some(contents), "what was written is read");
        store.overwrite(&name, &mut &b"another"[..])?;
        assert_eq!(read(&name)?.as_deref(), Some(&b"another"[..]));
    }
    store.overwrite("cas/of 1%", &mut &vec![7; 2 * piece as usize][..])?;
    assert_eq!(store.length("cas/of 1%")?, Some(2 * u64::from(piece)));
    store.create("castle", &mut &b"is not below cas/"[..])?;
    let mut names = store.list("cas")?;
    assert_eq!(names.len(), 6);
    let newest = || {
        store
            .list_newest("cas", 1)
            .map(|mut newest| newest.remove(0))
    };
    let before = newest()?;
    assert_eq!(before.0, "cas/of 1%", "written last");
    store.overwrite("cas/of 1%", &mut &b"c"[..])?;
    let after = newest()?;
    assert!(before.1.is_some() && after.1.is_some() && before.1 != after.1);
    assert_eq!(store.list_newest("cas", 6)?.len(), 6);
    let mut all = store.all()?;
    all.sort_by(|a, b| a.name.cmp(&b.name));
    let listed: Vec<&str> = all.iter().map(|it| it.name.as_str()).collect();
    names.sort();
    assert_eq!(
        listed[..6],
        names[..],
        "the names of lists are those of objects"
    );
    assert_eq!(listed[6..], ["castle"]);
    for object in &all {
        assert_eq!(store.length(&object.name)?, Some(object.bytes));
        assert_eq!(store.modified(&object.name)?, Some(object.modified));
    }
    for name in names.drain(..) {
        store.delete(&name)?;
        store.delete(&name)?;
    }
    assert_eq!(store.list("cas")?, Vec::<String>::new());
    println!("all as it should be");
    Ok(())
}
