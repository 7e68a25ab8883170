//! Object stores as remotes, on moto, an S3 for tests. It is `moto_server` in the path or what `MOTO_SERVER` names; without
//! it nothing is tested, and that is said.
//!
//! This program is its own copies and workers too, because the address of the store is in their environment.

#[path = "../../../engine/tests/toy/mod.rs"]
mod toy;

mod hundred;
mod proxy;
mod role;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use proxy::Proxy;
use toy::Toy;

/// A secret that must be shown nowhere.
const SECRET: &str = "dontshowthis";

/// What it shows, and how.
type Test = (&'static str, fn(&Lab));

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args
        .first()
        .is_some_and(|first| role::ROLES.contains(&first.as_str()))
    {
        return role::play(&args);
    }
    let tests: &[Test] = &[
        ("a_store_keeps_what_it_is_given_small_or_large", objects),
        (
            "three_copies_come_to_what_a_machine_alone_does",
            three_copies,
        ),
        (
            "a_store_that_goes_away_and_comes_back_loses_nothing",
            outage,
        ),
        ("a_store_that_lets_several_win_is_refused", race),
        ("what_is_wrong_with_a_store_is_said_once", mistakes),
        ("a_stage_takes_few_requests", requests),
        ("gc_deletes_what_is_old_and_nothing_else", gc),
    ];
    // Takes minutes and decides nothing: only for who names it.
    let measured: Test = ("how_long_a_hundred_copies_take_to_begin", hundred::measure);
    let filter = args.iter().find(|arg| !arg.starts_with('-'));
    let named = filter.map(|_| &measured);
    for (name, test) in tests.iter().chain(named) {
        if filter.is_some_and(|filter| !name.contains(filter.as_str())) {
            continue;
        }
        let start = Instant::now();
        let Some(lab) = Lab::new(&[]) else {
            println!("skipped: there is no `moto_server`; `pip install 'moto[server]'` brings it");
            // Where everything is installed nothing may be skipped.
            assert!(std::env::var_os("CI").is_none(), "moto must be there");
            return;
        };
        test(&lab);
        println!("test {name} ... ok, {:.1} s", start.elapsed().as_secs_f64());
    }
}

/// A store with a bucket, and machines that use it.
struct Lab {
    folder: tempfile::TempDir,
    moto: Child,
    port: u16,
    proxy: Proxy,
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.moto.kill();
        let _ = self.moto.wait();
    }
}

impl Lab {
    /// None without moto.
    fn new(environment: &[(&str, &str)]) -> Option<Self> {
        let program = std::env::var_os("MOTO_SERVER").unwrap_or_else(|| "moto_server".into());
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let moto = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let lab = Self {
            folder: tempfile::tempdir().unwrap(),
            moto,
            port,
            proxy: Proxy::to(port),
        };
        wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
        assert!(lab.ask("PUT /lab").starts_with("HTTP/1.1 200"));
        Some(lab)
    }

    /// A request without a body, and its answer.
    fn ask(&self, what: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = "Host: x\r\nContent-Length: 0\r\nConnection: close";
        write!(stream, "{what} HTTP/1.1\r\n{head}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// This program in a role.
    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(args)
            .current_dir(self.folder.path())
            .env(
                "AWS_ENDPOINT_URL",
                format!("http://127.0.0.1:{}/", self.proxy.port),
            )
            .env("AWS_ACCESS_KEY_ID", "AKIANOBODY")
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("HOME", self.folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// What this program said in a role, whatever became of it.
    fn said(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    /// A copy on a machine.
    fn copy(&self, machine: &str, toys: &[Toy]) -> Child {
        let study = self.path("study.json");
        if !study.exists() {
            fs::write(&study, serde_json::to_vec(toys).unwrap()).unwrap();
        }
        let args = [
            "run",
            "study.json",
            machine,
            "log",
            "s3://lab/cache/of mine",
        ];
        self.command(&args).spawn().unwrap()
    }

    /// Takes everything out of the store.
    fn empty(&self) {
        assert!(self.ask("POST /moto-api/reset").starts_with("HTTP/1.1 200"));
        assert!(self.ask("PUT /lab").starts_with("HTTP/1.1 200"));
    }

    fn begun(&self) -> usize {
        let log = fs::read_to_string(self.path("log")).unwrap_or_default();
        log.lines().count()
    }

    /// How many copies have told of themselves in the store.
    fn living(&self) -> usize {
        self.ask("GET /lab?list-type=2").matches("/beat/").count()
    }

    /// A new machine finds everything in the store, and it is what the toys come to without engine and store.
    fn check(&self, toys: &[Toy]) {
        let before = self.begun();
        let (ran, cached, _) = counts(self.copy("new", toys));
        assert_eq!((ran, cached, self.begun()), (0, toys.len(), before));
        let twin = toy::twin(toys, "1");
        let store = engine::Store::open(&self.path("new")).unwrap();
        let results = store.results_of("toy study").unwrap();
        for (name, (bytes, _)) in &twin {
            let record = store.lookup(results[name]).unwrap().record.unwrap();
            assert_eq!(
                record.outputs["out"].digest,
                engine::Digest::of(bytes),
                "{name}"
            );
        }
    }
}

/// What a copy that ended well ran and found, and how often it asked the store.
fn counts(copy: Child) -> (usize, usize, usize) {
    let output = copy.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{errors}");
    let counts: Vec<usize> = said
        .split_whitespace()
        .map(|it| it.parse().unwrap())
        .collect();
    (counts[0], counts[1], counts[2])
}

/// One -> many -> one, with outputs inside records and beside them.
fn study(runs: u64, beats: u64) -> Vec<Toy> {
    let mut study = vec![Toy::sum("data", 1, &[]).with("bytes", 100_000)];
    for number in 0..runs {
        let run = Toy::sum(&format!("run/{number}"), number, &["data"]).with("beats", beats);
        study.push(if number % 4 == 0 {
            run.with("bytes", 20_000)
        } else {
            run
        });
    }
    let reads = study[1..].iter().map(|toy| toy.name.clone()).collect();
    study.push(Toy {
        reads,
        ..Toy::sum("table", 5, &[])
    });
    study
}

fn wait_until(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_mins(1), "it does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn objects(lab: &Lab) {
    let said = lab.said(&["objects", "s3://lab/some where"]);
    assert_eq!(said, "all as it should be\n");
}

fn three_copies(lab: &Lab) {
    let study = study(24, 20);
    let copies = ["a", "b", "c"].map(|machine| lab.copy(machine, &study));
    let counts = copies.map(counts);
    let ran: usize = counts.iter().map(|it| it.0).sum();
    assert_eq!((lab.begun(), ran), (26, 26), "each stage once");
    lab.check(&study);
}

fn outage(lab: &Lab) {
    // One copy alone would take a quarter of a minute: time for the other one to begin.
    let study = study(16, 400);
    let mut copies = ["a", "b"].map(|machine| lab.copy(machine, &study));
    // One that has not begun yet would be refused: a store must be there at the start.
    while lab.begun() < 5 || lab.living() < copies.len() {
        for copy in &mut copies {
            if copy.try_wait().unwrap().is_some() {
                let mut said = String::new();
                let mut stderr = copy.stderr.take().unwrap();
                stderr.read_to_string(&mut said).unwrap();
                panic!("a copy ended before the store went away: {said}");
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(lab.begun() < study.len(), "it goes away while they run");
    lab.proxy.is_away(true);
    // Longer than requests are repeated for by themselves.
    std::thread::sleep(Duration::from_secs(3));
    lab.proxy.is_away(false);
    for copy in copies {
        counts(copy);
    }
    lab.check(&study);
}

/// Counted and printed; `doc/benchmarks.md` has them.
fn requests(lab: &Lab) {
    let study = study(298, 0);
    let stages = study.len() as f64;
    let measure = |what: &str, machines: &[&str], most: f64| {
        let start = Instant::now();
        let copies: Vec<Child> = machines.iter().map(|it| lab.copy(it, &study)).collect();
        let asked: usize = copies.into_iter().map(|copy| counts(copy).2).sum();
        let (each, seconds) = (asked as f64 / stages, start.elapsed().as_secs_f64());
        println!("{what}: {each:.2} requests a stage, {seconds:.1} s");
        assert!(each <= most, "{each}");
    };
    // The last depends on how often copies meet, which is a matter of time: the bound is far off.
    measure("one copy", &["a"], 8.0);
    measure("again", &["a"], 0.5);
    measure("an empty cache", &["b"], 2.0);
    lab.empty();
    measure("three copies", &["c", "d", "e"], 30.0);
}

fn gc(lab: &Lab) {
    let study = study(8, 0);
    let address = "s3://lab/cache/of mine";
    let (ran, _, _) = counts(lab.copy("a", &study));
    assert_eq!(lab.said(&["gc", "6", address]).split(' ').next(), Some("0"));
    lab.check(&study);
    // Two copies have run, and the store gives its name again to who asks for it.
    let said = lab.said(&["gc", "8", address]);
    let (deleted, left) = said.trim().split_once(' ').unwrap();
    assert!(deleted.parse::<usize>().unwrap() >= 2 * ran + 2, "{said}");
    assert!(left.parse::<u64>().unwrap() < 200, "{said}");
    assert_eq!(lab.said(&["gc", "8", address]), format!("0 {left}\n"));
    let (ran_again, _, _) = counts(lab.copy("b", &study));
    assert_eq!(ran_again, ran, "nothing was left");
}

fn race(lab: &Lab) {
    lab.proxy.lies();
    let said = lab.said(&["open", "cache", "s3://lab/x"]);
    assert!(
        said.contains("the remote s3://lab/x cannot be shared: 8 of 8"),
        "{said}"
    );
}

fn mistakes(lab: &Lab) {
    let said = lab.said(&["open", "cache", "s3://none/x"]);
    assert!(said.contains("s3://none/x/v1/probe/"), "{said}");
    assert_eq!(said.matches("NoSuchBucket").count(), 1, "{said}");
    // A store that looks at who asks, from the second request on.
    let strict = [("INITIAL_NO_AUTH_ACTION_COUNT", "1")];
    let strict = Lab::new(&strict).expect("moto is there");
    let said = strict.said(&["open", "cache", "s3://lab/x"]);
    assert_eq!(said.matches("InvalidAccessKeyId").count(), 1, "{said}");
    assert!(
        !said.contains("AKIANOBODY") && !said.contains(SECRET),
        "{said}"
    );
    // Nobody is there.
    lab.proxy.is_away(true);
    let said = lab.said(&["open", "cache", "s3://lab/x"]);
    assert!(said.contains("s3://lab/x/v1/"), "{said}");
    assert!(
        !said.contains("AKIANOBODY") && !said.contains("127.0.0.1"),
        "{said}"
    );
    assert!(Path::new(&lab.path("cache")).exists());
}
