//! Games that are played for a moment.

use semblant_core::device;
use semblant_core::progress::{Event, Observer};
use semblant_core::synthesizer::{Run, Synthesizer};
use semblant_data::image::ImageRequest;
use semblant_data::image::Images;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// Keeps what it is told.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Observer for Notes {
    fn event(&mut self, event: Event<'_>) {
        if let Event::Note(note) = event {
            self.0.lock().expect("one thread").push(note.to_owned());
        }
    }
}

fn model(name: &str, settings: Value) -> Box<dyn Synthesizer<Images>> {
    let entry = semblant_gan::MODELS.iter().find(|entry| entry.name == name).expect("listed");
    (entry.build)(settings).expect("known settings")
}

/// Eight images of 4 x 4 pixels, dark and bright in turn.
fn images() -> Images {
    Images::new((0..8 * 16).map(|i| if i / 16 % 2 == 0 { 10 } else { 240 }).collect(), [8, 1, 4, 4], None).expect("sound")
}

fn small(more: Value) -> Value {
    let mut settings = json!({ "network": { "latent": 4, "channels": [8, 4], "features": 4, "group_channels": 0 } });
    settings["training"] = more;
    settings
}

fn run() -> (Run, Notes) {
    let notes = Notes::default();
    let run = Run { observer: Box::new(notes.clone()), ..Run::new(device::select("cpu").expect("there"), 0) };
    (run, notes)
}

#[test]
fn a_batch_of_one_is_a_batch() {
    for entry in semblant_gan::MODELS {
        let mut model = model(entry.name, small(json!({ "rows": 6, "batch_rows": 1, "critic_steps": 1 })));
        let summary = model.fit(&images(), &mut run().0).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
        assert!(summary.losses.iter().all(|(_, value)| value.is_finite()), "{}: {summary:?}", entry.name);
    }
}

#[test]
fn a_diverging_critic_is_an_error() {
    let training = json!({ "rows": 4000, "batch_rows": 8, "tick_rows": 8, "critic": { "learning_rate": 10.0 }, "critic_steps": 1 });
    let mut settings = small(training);
    settings["penalty"] = json!(1e38);
    let error = model("wgan-gp", settings).fit(&images(), &mut run().0).expect_err("no game can go on so").to_string();
    assert!(error.contains("became NaN") || error.contains("became inf"), "{error}");
}

#[test]
fn mode_collapse_is_reported() {
    // A generator that hardly learns makes the same grey whatever it is given.
    let still = json!({ "rows": 8, "batch_rows": 8, "optimizer": { "learning_rate": 0.0 } });
    let (mut first, notes) = run();
    model("dcgan", small(still)).fit(&images(), &mut first).expect("fits");
    let notes = notes.0.lock().expect("one thread").join("; ");
    assert!(notes.contains("mode collapse") && notes.contains("training.augment.chance"), "{notes}");
}

#[test]
fn gans_learn_dark_and_bright_images() {
    let training = json!({
        "rows": 16000, "batch_rows": 16, "ema": { "half_life_rows": 500.0 },
        "optimizer": { "learning_rate": 0.0005, "beta_1": 0.9, "beta_2": 0.999, "schedule": "constant" },
        "critic": { "learning_rate": 0.001, "beta_1": 0.9, "beta_2": 0.999, "schedule": "constant" }, "critic_steps": 1,
    });
    // Two points are the case on which games without a penalty at both kinds of images circle for ever (Mescheder et al. 2018).
    let mut model = model("r3gan", small(training));
    let (mut run, notes) = run();
    model.fit(&images(), &mut run).expect("fits");
    let made = model.sample(&ImageRequest::new(64, 1)).expect("fitted").data;
    let bright = (0..64).filter(|&i| made.pixels_of(i).iter().map(|&p| u32::from(p)).sum::<u32>() > 16 * 125).count();
    assert!((10..=54).contains(&bright), "{bright} of 64 are bright; {:?}", notes.0.lock().expect("one thread"));
    let near = (0..64).filter(|&i| {
        let target = if made.pixels_of(i)[0] > 125 { 240 } else { 10 };
        made.pixels_of(i).iter().all(|&p| (i32::from(p) - target).abs() < 60)
    });
    assert!(near.count() > 40);
}

#[test]
fn former_names_of_settings_are_accepted() {
    let old = json!({ "training": { "images": 7, "batch_images": 5, "tick_images": 3, "generator": { "learning_rate": 0.5 } } });
    let train = semblant_core::config::from_value::<semblant_gan::R3ganConfig>("r3gan", old).expect("accepted").training.train;
    assert_eq!((train.rows, train.batch_rows, train.tick_rows, train.optimizer.learning_rate), (7, 5, 3, 0.5));
}
