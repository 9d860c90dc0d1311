"""Rows a second of the same table of ten columns by Python: Faker row by row, and numpy with pandas column by column, both to Parquet.

    pip install faker pandas pyarrow numpy
    python benches/peers/rules.py [ROWS]

Compare with: semblant sample benches/peers/rules.toml --scale N --format parquet -o out/
"""
import sys, time

import numpy as np
import pandas as pd
from faker import Faker

ROWS = int(float(sys.argv[1])) if len(sys.argv) > 1 else 1_000_000
PLANS, SHARES = ["free", "basic", "plus", "pro"], [0.5, 0.3, 0.15, 0.05]
COUNTRIES = ["DE", "FR", "NL", "US", "GB"]


def by_columns(rows, seed):
    """As dbldatagen has it: each column a vector."""
    rng = np.random.default_rng(seed)
    age = np.clip(np.rint(rng.normal(45, 15, rows)), 18, 90).astype(np.int64)
    price = np.round(rng.lognormal(3, 0.5, rows), 2)
    units = rng.poisson(3, rows)
    return pd.DataFrame({
        "id": np.arange(1, rows + 1),
        "age": age,
        "plan": pd.Categorical.from_codes(rng.choice(4, rows, p=SHARES), PLANS).astype(str),
        "country": np.array(COUNTRIES)[rng.integers(0, 5, rows)],
        "active": rng.random(rows) < 0.7,
        "joined": np.datetime64("2015-01-01") + rng.integers(0, 3653, rows).astype("timedelta64[D]"),
        "price": price,
        "units": units,
        "total": np.round(price * units, 2),
        "score": rng.beta(2, 5, rows),
    })


def by_rows(rows, seed):
    """As Faker has it: each value a call."""
    fake = Faker()
    Faker.seed(seed)
    random = fake.random
    made = []
    for row in range(rows):
        price, units = round(random.lognormvariate(3, 0.5), 2), fake.random_int(0, 9)
        made.append({
            "id": row + 1,
            "age": fake.random_int(18, 90),
            "plan": random.choices(PLANS, SHARES)[0],
            "country": fake.random_element(COUNTRIES),
            "active": fake.boolean(70),
            "joined": fake.date_between_dates(pd.Timestamp("2015-01-01"), pd.Timestamp("2024-12-31")),
            "price": price,
            "units": units,
            "total": round(price * units, 2),
            "score": random.betavariate(2, 5),
        })
    return pd.DataFrame(made)


for name, make, rows in (("numpy and pandas", by_columns, ROWS), ("Faker", by_rows, min(ROWS, 50_000))):
    start = time.perf_counter()
    make(rows, 1).to_parquet("/tmp/rules-peer.parquet")
    seconds = time.perf_counter() - start
    print(f"{name}: {rows / seconds:,.0f} rows a second ({rows:,} in {seconds:.1f} s)")
