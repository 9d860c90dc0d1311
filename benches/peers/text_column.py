"""A table with a text column whose dependence on the other columns is known: short messages with their label, an hour that depends on the label by a
rule, and their number of characters.

    pip install pandas scikit-learn scipy
    python benches/peers/text_column.py make sms_spam.csv.gz train.csv held.csv      # every fifth message is held out
    semblant fit train.csv -o model.safetensors
    semblant sample model.safetensors -n 2000 -o made.csv
    python benches/peers/text_column.py score train.csv held.csv made.csv
"""
import sys

import numpy as np
import pandas as pd
from scipy.stats import spearmanr
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline


def make(source, train, held):
    table = pd.read_csv(source)
    table["text"] = table["text"].str.replace(r"\s+", " ", regex=True).str.strip()
    table = table[table["text"].str.len() > 0].reset_index(drop=True)
    random = np.random.default_rng(0)
    # Spam is sent in working hours, other messages mostly in the evening.
    evening = np.round(random.normal(19, 3, len(table))).astype(int) % 24
    table["hour"] = np.where(table["type"] == "spam", random.integers(9, 18, len(table)), evening)
    table["length"] = table["text"].str.len()
    table = table[["type", "hour", "length", "text"]]
    is_held = np.arange(len(table)) % 5 == 4
    table[~is_held].to_csv(train, index=False)
    table[is_held].to_csv(held, index=False)


def score(train, held, made):
    train, held, made = (pd.read_csv(path).dropna() for path in (train, held, made))
    judge = make_pipeline(TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), MultinomialNB(alpha=0.05)).fit(train["text"], train["type"])
    known = set(train["text"])
    law = lambda table: pd.crosstab(table["type"], table["hour"], normalize="index").reindex(columns=range(24), fill_value=0.0)
    for name, table in (("held out", held), ("synthetic", made)):
        length = table["text"].str.len()
        found = judge.predict(table["text"])
        right = [(found[table["type"] == label] == label).mean() for label in ("ham", "spam")]
        near = ((length - table["length"]).abs() <= np.maximum(2, 0.1 * table["length"])).mean()
        hours = 0.5 * (law(table) - law(train)).abs().sum(axis=1)
        print(f"{name}: {len(table)} rows, {100 * (table['type'] == 'spam').mean():.1f} % spam")
        print(f"  text and label: classified as labelled, ham {right[0]:.3f}, spam {right[1]:.3f}")
        print(f"  text and length: Spearman {spearmanr(length, table['length'])[0]:.3f}, within a tenth {near:.3f}")
        print(f"  length and label: mean length of ham {table.loc[table['type'] == 'ham', 'length'].mean():.0f}, of spam {table.loc[table['type'] == 'spam', 'length'].mean():.0f}")
        print(f"  hour and label: total variation from the training rows, ham {hours['ham']:.3f}, spam {hours['spam']:.3f}")
        print(f"  texts of the training rows: {table['text'].isin(known).mean():.4f}, of 40 characters or more {(table['text'].isin(known) & (length >= 40)).mean():.4f}")


{"make": make, "score": score}[sys.argv[1]](*sys.argv[2:])
