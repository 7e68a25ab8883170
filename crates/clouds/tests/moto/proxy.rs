//! What stands between the copies and the store, so that it can go away and come back, and lie.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A way to a store on this machine.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    to: AtomicU16,
    away: AtomicBool,
    /// Whether the condition that there is no such object is lost on the way.
    lies: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    pub(crate) fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = Arc::new(State::default());
        state.to.store(port, Ordering::SeqCst);
        let proxy = Self {
            port: listener.local_addr().unwrap().port(),
            state: Arc::clone(&state),
        };
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, state) = (client.unwrap(), Arc::clone(&state));
                thread::spawn(move || state.join(&client));
            }
        });
        proxy
    }

    /// Cuts every connection, and takes none; or takes them again.
    pub(crate) fn is_away(&self, away: bool) {
        self.state.away.store(away, Ordering::SeqCst);
        for connection in self.state.open.lock().unwrap().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn lies(&self) {
        self.state.lies.store(true, Ordering::SeqCst);
    }
}

impl State {
    fn join(self: &Arc<Self>, client: &TcpStream) {
        if self.away.load(Ordering::SeqCst) {
            return;
        }
        let store = TcpStream::connect(("127.0.0.1", self.to.load(Ordering::SeqCst)));
        let Ok(store) = store else { return };
        let mut open = self.open.lock().unwrap();
        open.extend([client.try_clone().unwrap(), store.try_clone().unwrap()]);
        drop(open);
        let (from, to) = (store.try_clone().unwrap(), client.try_clone().unwrap());
        let back = thread::spawn(move || pass(from, to, false));
        pass(
            client.try_clone().unwrap(),
            store,
            self.lies.load(Ordering::SeqCst),
        );
        let _ = back.join();
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, lies: bool) {
    let (said, instead) = (b"if-none-match", b"x-nothing-such");
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        let bytes = &mut buffer[..read];
        if lies && let Some(at) = bytes.windows(said.len()).position(|it| it == said) {
            bytes[at..at + said.len()].copy_from_slice(&instead[..said.len()]);
        }
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
