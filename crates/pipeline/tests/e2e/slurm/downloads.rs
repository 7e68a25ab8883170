//! What a study downloads is made by `submit`.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::thread::JoinHandle;

use super::{Cluster, check_page, lab, logs};
use crate::lab::{Lab, stderr, stdout};

/// MNIST's files, with few and small images: each class is bright in other places. Name and contents.
fn images() -> Vec<(&'static str, Vec<u8>)> {
    let idx = |shape: &[u32], values: Vec<u8>| {
        let mut file = vec![0, 0, 8, shape.len() as u8];
        file.extend(shape.iter().flat_map(|size| size.to_be_bytes()));
        file.extend(values);
        file
    };
    let pixel = |at: u32| {
        let (image, place) = (at / 64, at % 64);
        let noise = image.wrapping_mul(2_654_435_761).rotate_left(place) % 100;
        noise as u8 + if place % 10 == image % 10 { 100 } else { 0 }
    };
    let pixels = |images: u32| idx(&[images, 8, 8], (0..images * 64).map(pixel).collect());
    let labels = |images: u32| idx(&[images], (0..images).map(|it| (it % 10) as u8).collect());
    vec![
        ("train-images-idx3-ubyte", pixels(400)),
        ("train-labels-idx1-ubyte", labels(400)),
        ("t10k-images-idx3-ubyte", pixels(100)),
        ("t10k-labels-idx1-ubyte", labels(100)),
    ]
}

/// Gives each file away once, by its name, and is gone then.
fn serve(listener: TcpListener, mut files: Vec<(&'static str, Vec<u8>)>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        while !files.is_empty() {
            let (mut stream, _) = listener.accept().expect("somebody asks");
            let mut lines = BufReader::new(&stream).lines().map(|it| it.expect("text"));
            let request = lines.next().expect("a request");
            assert!(lines.any(|line| line.is_empty()), "the head ends");
            let asked = |(name, _): &(&str, _)| request == format!("GET /{name} HTTP/1.1");
            let at = files.iter().position(asked).expect(&request);
            let (_, body) = files.remove(at);
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            stream
                .write_all(&[head.as_bytes(), &body].concat())
                .expect("it listens");
        }
    })
}

/// By another program.
fn sha256(lab: &Lab, contents: &[u8]) -> String {
    fs::write(lab.path("summed"), contents).expect("written");
    let mut command = Command::new("sha256sum");
    let output = command.arg(lab.path("summed")).output().expect("it starts");
    stdout(&output)[..64].to_owned()
}

/// How many frozen plans the remote has.
fn plans(lab: &Lab) -> usize {
    let runs = fs::read_dir(lab.path("remote/v1/run/tiny"))
        .into_iter()
        .flatten();
    let plans = runs.map(|run| run.expect("a folder").path().join("plan"));
    plans.filter(|plan| plan.exists()).count()
}

#[test]
fn what_a_study_downloads_is_made_by_submit_and_tasks_need_no_network() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let lab = lab("  tasks: 2\n");
    let sums = images()
        .iter()
        .map(|(name, contents)| format!("{name}: {}", sha256(&lab, contents)))
        .collect::<Vec<_>>()
        .join(", ");
    let submit = |address: &str| {
        let from = format!("source: mnist, url: 'http://{address}', sha256: {{ {sums} }},");
        lab.edit("source: digits,", &from);
        let arguments = ["submit", "study.yaml", "--remote-beat", "0.2"];
        let mut command = cluster.command(&lab, &arguments);
        command.output().expect("it starts")
    };
    // Nobody is there.
    let output = submit("127.0.0.1:9");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("nothing was submitted"), "{said}");
    assert_eq!(cluster.says("squeue", &["-h"]), "");
    assert!(
        !said.contains("hours of work"),
        "what is not done here is not announced: {said}"
    );
    let status = cluster.command(&lab, &["status", "tiny"]).output();
    let said = stderr(&status.expect("it starts"));
    assert!(said.contains("tiny"), "no plan is left: {said}");
    assert_eq!(plans(&lab), 0, "nothing is frozen");

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let server = serve(listener, images());
    let output = submit(&address.to_string());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    server.join().expect("each file was asked for, once");
    assert_eq!(plans(&lab), 1);
    cluster.wait();
    assert!(lab.path("reports/tiny.html").exists(), "{}", logs(&lab));
    check_page(&lab);
}
