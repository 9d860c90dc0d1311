//! Ctrl-C and SIGTERM: a command that is asked to end removes what is incomplete, says what is kept, and ends. Only training goes on to the end of
//! its step, to save its state; who asks again ends that too.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use semblant::files;
use semblant::progress::{Event, Observer};

use crate::say_error;

/// The signal that asked the process to end; 0 for none.
static ASKED: AtomicI32 = AtomicI32::new(0);
/// What the process does when it is asked: one of the stages below.
static STAGE: AtomicU8 = AtomicU8::new(AT_ONCE);
/// Nothing is there that would be worth a wait.
const AT_ONCE: u8 = 0;
/// Training saves its state and ends.
const TRAINING: u8 = 1;
/// Training is over, and its model about to be written.
const COMPLETING: u8 = 2;

/// Tidies up after a command and says what it keeps.
type LastWords = Box<dyn Fn() -> Option<String> + Send>;

/// What commands leave for the end, if it comes early.
#[derive(Default)]
struct Left {
    stop: Arc<AtomicBool>,
    completed: Vec<PathBuf>,
    last_words: Option<LastWords>,
}

static LEFT: Mutex<Option<Left>> = Mutex::new(None);

fn with<T>(act: impl FnOnce(&mut Left) -> T) -> T {
    act(LEFT.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default())
}

/// Listens from now on. Where that is not possible, signals end the process as usual.
#[cfg(unix)]
pub(crate) fn listen() {
    use signal_hook::consts::{SIGINT, SIGTERM};
    if let Ok(mut signals) = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]) {
        std::thread::spawn(move || signals.forever().for_each(asked));
    }
}

/// As above, for Ctrl-C alone.
#[cfg(not(unix))]
pub(crate) fn listen() {
    let _ = ctrlc::set_handler(|| asked(2));
}

/// The exit code of a command that was asked to end: 130 after Ctrl-C and 143 after SIGTERM, as shells have it.
pub(crate) fn exit_code() -> Option<u8> {
    u8::try_from(128 + ASKED.load(Ordering::SeqCst)).ok().filter(|code| *code > 128)
}

/// Notes that a file is complete and kept.
pub(crate) fn completed(path: &Path) {
    with(|left| left.completed.push(path.to_owned()));
}

/// What is to be done, and told, when a command ends early.
pub(crate) fn at_early_end(last_words: impl Fn() -> Option<String> + Send + 'static) {
    with(|left| left.last_words = Some(Box::new(last_words)));
}

/// Set when training is to save its state and end.
pub(crate) fn stop() -> Arc<AtomicBool> {
    with(|left| left.stop.clone())
}

fn asked(signal: i32) {
    let first = ASKED.swap(signal, Ordering::SeqCst) == 0;
    match STAGE.load(Ordering::SeqCst) {
        TRAINING if first => stop().store(true, Ordering::SeqCst),
        COMPLETING if first => crate::say("training is over and the model about to be written; interrupt again to end at once"),
        _ => end(),
    }
}

fn end() -> ! {
    let targets = files::abandon();
    let said = with(|left| {
        let names = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        let mut parts = Vec::new();
        if !targets.is_empty() {
            parts.push(format!("not written: {}", names(&targets)));
        }
        if !left.completed.is_empty() {
            parts.push(format!("complete: {}", names(&left.completed)));
        }
        parts.extend(left.last_words.as_ref().and_then(|words| words()));
        if parts.is_empty() {
            parts.push("no file was written".into());
        }
        format!("interrupted; {}", parts.join("; "))
    });
    say_error(&said);
    std::process::exit(exit_code().unwrap_or(1).into());
}

/// An observer of a fit that knows when it trains: then it can save its state.
pub(crate) struct Watched(pub(crate) Box<dyn Observer>);

impl Observer for Watched {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Rows { .. } => STAGE.store(TRAINING, Ordering::SeqCst),
            Event::Done => STAGE.store(COMPLETING, Ordering::SeqCst),
            _ => {}
        }
        self.0.event(event);
    }
}
