//! Scores of models trained on the synthetic table.

use super::{Direction, Group, Scores, reason};
use crate::Result;
use crate::learn::Learner;
use crate::table::utility::{Prediction, Utility};

impl Scores {
    /// One or two scores of each kind of model, and one of a model trained on both tables; returns the result.
    pub(in crate::report) fn utility(&mut self, target: Option<&str>, result: Option<Result<Utility>>) -> Result<Option<Utility>> {
        let names = ("utility", "Trained on synthetic");
        let meaning = "Performance on real rows of a model trained on synthetic rows.";
        let (Some(result), Some(target)) = (result, target) else {
            self.add(Group::Utility, names, Err("no target column was named".into()), None, Direction::Higher, meaning);
            return Ok(None);
        };
        let utility = match reason(result)? {
            Ok(utility) => utility,
            Err(why) => {
                self.add(Group::Utility, names, Err(why), None, Direction::Higher, meaning);
                return Ok(None);
            }
        };
        for of in &utility.learners {
            let (kind, suffix) = match of.learner {
                Learner::Trees => ("utility", String::new()),
                Learner::Linear => ("utility_linear", format!(" ({})", of.learner.name())),
                Learner::Network => ("utility_network", format!(" ({})", of.learner.name())),
            };
            let how = format!(
                "a model trained on synthetic rows to predict \"{target}\" ({}), tested on real rows; the reference is trained on real rows.",
                of.learner.name()
            );
            self.prediction((kind, &format!("Trained on synthetic{suffix}")), &of.synthetic, &of.real, &how);
        }
        if let Some(first) = utility.learners.first() {
            let how = format!(
                "a model trained on real and synthetic rows together ({}), tested on other real rows; the reference is trained on real rows alone.",
                first.learner.name()
            );
            self.prediction(("augmented", "Trained on both"), &utility.augmented, &first.real, &how);
        }
        Ok(Some(utility))
    }

    /// The main score and, for boosted trees, the second one.
    fn prediction(&mut self, (id, name): (&str, &str), found: &Result<Prediction, String>, real: &Prediction, how: &str) {
        let [main, second] = if matches!(real, Prediction::Values { .. }) { ["R2", "RMSE"] } else { ["AUC", "F1"] };
        let names = |score: &str| (format!("{id}_{}", score.to_lowercase()), format!("{name}: {score}"));
        let (main_id, main_name) = names(main);
        let value = found.as_ref().map(|found| found.main().value).map_err(Clone::clone);
        self.add(Group::Utility, (&main_id, &main_name), value, Some(real.main().value), Direction::Higher, &format!("{main} of {how}"));
        self.interval(found.as_ref().ok().map(|found| found.main().interval));
        if id == "utility" {
            let (second_id, second_name) = names(second);
            let direction = if second == "RMSE" { Direction::Lower } else { Direction::Higher };
            let value = found.as_ref().map(Prediction::second).map_err(Clone::clone);
            self.add(Group::Utility, (&second_id, &second_name), value, Some(real.second()), direction, &format!("{second} of {how}"));
        }
    }
}
