"""What synthetic spam is worth: a classifier is trained on messages of which 5 % are spam, with synthetic spam added until both labels are equally
frequent, with copies of the spam that there is, and with all real spam. F1 of spam on messages that no model saw, with intervals of 95 % by 1,000 draws of
these, and of the gain, for paired draws.

    pip install scikit-learn numpy
    python benches/peers/sms_balanced.py split sms_spam.csv few.csv                 # every fifth message is for the test
    semblant fit few.csv --text-column text --label type --model text-ar -o few.safetensors
    semblant sample few.safetensors -n 4000 --where type=spam -o spam.csv
    python benches/peers/sms_balanced.py score sms_spam.csv spam.csv
"""
import csv, gzip, sys

import numpy as np

verb, source = sys.argv[1:3]
opened = gzip.open(source, "rt", encoding="utf-8") if source.endswith(".gz") else open(source, encoding="utf-8")
rows = [(row["type"], row["text"]) for row in csv.DictReader(opened)]
train, test = [row for at, row in enumerate(rows) if at % 5 != 4], [row for at, row in enumerate(rows) if at % 5 == 4]
ham, spam = [row for row in train if row[0] != "spam"], [row for row in train if row[0] == "spam"]
few = spam[: int(len(ham) * 0.05 / 0.95)]
if verb == "split":
    with open(sys.argv[3], "w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([("type", "text"), *ham, *few])
    sys.exit()

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline

made = [("spam", row["text"]) for row in csv.DictReader(open(sys.argv[3], encoding="utf-8"))][: len(ham) - len(few)]
copies = [few[at % len(few)] for at in range(len(ham) - len(few))]
sets = {"5 % spam": ham + few, "with its copies": ham + few + copies, "with synthetic spam": ham + few + made, "with all real spam": ham + spam}
truth = np.array([label == "spam" for label, _ in test])
random = np.random.default_rng(0)
draws = random.integers(0, len(test), (1000, len(test)))


def f1(found, truth):
    right = (found & truth).sum(-1)
    return 2 * right / np.maximum(1, found.sum(-1) + truth.sum(-1))


for name, classifier in [("logistic regression", LogisticRegression(C=10, max_iter=2000)), ("naive Bayes", MultinomialNB(alpha=0.05))]:
    scores = {}
    for which, texts in sets.items():
        model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), classifier)
        found = model.fit([text for _, text in texts], [label == "spam" for label, _ in texts]).predict([text for _, text in test])
        scores[which] = (f1(found, truth), f1(found[draws], truth[draws]))
    for which, (value, drawn) in scores.items():
        print(f"{name}, {which}: F1 {value:.3f} ({np.quantile(drawn, 0.025):.3f} to {np.quantile(drawn, 0.975):.3f})")
    for base in ["5 % spam", "with its copies"]:
        gain = scores["with synthetic spam"][1] - scores[base][1]
        print(f"{name}, gain over {base}: {scores['with synthetic spam'][0] - scores[base][0]:+.3f} ({np.quantile(gain, 0.025):+.3f} to {np.quantile(gain, 0.975):+.3f})")
