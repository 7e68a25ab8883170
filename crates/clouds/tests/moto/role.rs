//! What this program does when a test starts it again.

use std::error::Error;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use clouds::Address;
use engine::{Remote, Store};

use crate::toy;

pub(crate) const ROLES: [&str; 4] = ["worker", "run", "open", "objects"];

pub(crate) fn play(args: &[String]) {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let played = match args[..] {
        ["worker"] => engine::serve(&mut toy::Executor, &toy::build()).map_err(Into::into),
        ["run", study, cache, log, address] => run(study, cache, log, address),
        ["open", cache, address] => open(cache, address).map(drop),
        ["objects", address] => objects(address),
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
    let address = Address::parse(address).ok_or("no address")??;
    let remote = Remote::on(address.open()?, &address.to_string(), &store, true)?;
    store.put_before(remote);
    Ok(store)
}

fn run(study: &str, cache: &str, log: &str, address: &str) -> Result<(), Box<dyn Error>> {
    let toys: Vec<toy::Toy> = serde_json::from_slice(&std::fs::read(study)?)?;
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
    for name in names.drain(..) {
        store.delete(&name)?;
        store.delete(&name)?;
    }
    assert_eq!(store.list("cas")?, Vec::<String>::new());
    println!("all as it should be");
    Ok(())
}
