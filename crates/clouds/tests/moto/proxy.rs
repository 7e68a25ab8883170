//! What stands between the copies and the store, so that it can go away and come back, and lie.
//!
//! moto looks whether there is an object and then creates it, so that of two requests at once both may win, where the
//! machine has much to do. A real store does not, and here it does not either: what creates an object goes to moto
//! alone, and the next one after its answer.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Condvar, Mutex};
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
    /// Whether a request that creates an object is under way.
    creating: Mutex<bool>,
    created: Condvar,
}

/// The condition on which an object is created.
const CONDITION: &[u8] = b"if-none-match";

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
        let lies = self.lies.load(Ordering::SeqCst);
        let creates = Arc::new(AtomicBool::new(false));
        let (from, to) = (store.try_clone().unwrap(), client.try_clone().unwrap());
        let (state, own) = (Arc::clone(self), Arc::clone(&creates));
        let back = thread::spawn(move || pass(from, to, |_| state.end(&own)));
        pass(client.try_clone().unwrap(), store, |bytes| {
            let length = CONDITION.len();
            if let Some(at) = bytes.windows(length).position(|it| it == CONDITION) {
                if lies {
                    bytes[at..at + length].copy_from_slice(b"x-nothing-at-");
                } else if !creates.load(Ordering::SeqCst) {
                    self.begin(&creates);
                }
            }
        });
        let _ = back.join();
        self.end(&creates);
    }

    /// Waits until no object is created.
    fn begin(&self, creates: &AtomicBool) {
        let creating = self.creating.lock().unwrap();
        let mut creating = self.created.wait_while(creating, |it| *it).unwrap();
        *creating = true;
        creates.store(true, Ordering::SeqCst);
    }

    /// There is an answer to what this connection asked for, or there will be none.
    fn end(&self, creates: &AtomicBool) {
        if creates.swap(false, Ordering::SeqCst) {
            *self.creating.lock().unwrap() = false;
            self.created.notify_one();
        }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, mut sees: impl FnMut(&mut [u8])) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        sees(&mut buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
