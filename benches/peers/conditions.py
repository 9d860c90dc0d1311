"""How well synthetic rows, drawn under a condition, agree with the real rows that meet it. The judge of the condition is SQLite, not the
program that drew the rows.

    pip install pandas scipy
    python benches/peers/conditions.py REAL.csv SYNTHETIC.csv "age > 40 and education in ('Masters', 'Doctorate')"

Prints how many synthetic rows fail the condition (false, or unknown because of a missing value), how many real rows meet it, and for every
column the distance between the synthetic rows and those real rows: the two-sample Kolmogorov-Smirnov statistic of numbers, the total variation
distance of labels. The synthetic rows that fail are compared too. The last line has the largest and the mean statistic of the numbers that the
condition does not mention.

Empty cells are NULL, and columns of the real table with numbers only are numbers, all of them REAL, so that age / 2 is not rounded. LIKE
heeds the case. Two numbers written out are divided as integers in SQLite: write 7.0 / 2. A misspelt name in double quotes is a text to SQLite,
not an error: see that the columns in the condition are marked as such.
"""
import sqlite3, sys

import pandas as pd
from scipy.stats import ks_2samp

REAL, SYNTHETIC, CONDITION = sys.argv[1:]


def read(path):
    return pd.read_csv(path, dtype=str, keep_default_na=False).replace("", None)


def is_number(column):
    return pd.to_numeric(column, errors="coerce").notna().eq(column.notna()).all()


tables = {"real": read(REAL), "synthetic": read(SYNTHETIC)}
names = list(tables["real"].columns)
numbers = [name for name in names if is_number(tables["real"][name])]
connection = sqlite3.connect(":memory:")
connection.execute("PRAGMA case_sensitive_like = ON")
for name, function in (("least", min), ("greatest", max)):
    connection.create_function(name, -1, lambda *values, f=function: None if None in values else f(values))
for title, table in tables.items():
    if list(table.columns) != names:
        sys.exit(f"the {title} table has other columns than the real one")
    table[numbers] = table[numbers].apply(pd.to_numeric).astype(float)
    table.to_sql(title, connection, index=False, dtype={name: "REAL" if name in numbers else "TEXT" for name in names})

# SQLite says which columns a statement reads.
mentioned = set()


def note(action, table, column, *_):
    if action == sqlite3.SQLITE_READ:
        mentioned.add(column)
    return sqlite3.SQLITE_OK


def outcomes(title):
    return pd.Series([row[0] for row in connection.execute(f"SELECT ({CONDITION}) FROM {title} ORDER BY rowid")], dtype=object)


meets = outcomes("real")
connection.set_authorizer(note)
connection.execute(f"SELECT 1 FROM real WHERE ({CONDITION})")
connection.set_authorizer(None)
mentioned &= set(names)

drawn = outcomes("synthetic")
unknown, false = drawn.isna().sum(), (drawn == 0).sum()
real, synthetic = tables["real"][(meets.notna() & (meets != 0)).to_numpy()], tables["synthetic"]
print(f"{unknown + false} of {len(synthetic)} synthetic rows fail the condition: {false} false, {unknown} unknown")
print(f"{len(real)} of {len(tables['real'])} real rows meet it")
if real.empty or synthetic.empty:
    sys.exit("nothing to compare")

width = max(map(len, names))
others = {}
for name in names:
    a, b = real[name], synthetic[name]
    mark = "  in the condition" if name in mentioned else ""
    if name in numbers:
        # Missing values have no place in the order of the numbers: their shares stand beside the statistic.
        shares = f"  missing: {a.isna().mean():.4f} real, {b.isna().mean():.4f} synthetic" if a.isna().any() or b.isna().any() else ""
        a, b = a.dropna(), b.dropna()
        distance = ks_2samp(a, b, method="asymp").statistic if len(a) and len(b) else float(len(a) != len(b))
        print(f"{name:{width}} KS {distance:.4f}{shares}{mark}")
        if name not in mentioned:
            others[name] = distance
    else:
        # A missing label counts as a label.
        both = pd.concat([part.fillna("").value_counts(normalize=True) for part in (a, b)], axis=1).fillna(0.0)
        print(f"{name:{width}} TV {(both.iloc[:, 0] - both.iloc[:, 1]).abs().sum() / 2:.4f}{mark}")
if others:
    worst = max(others, key=others.get)
    print(f"KS of {len(others)} numeric columns outside of the condition: largest {others[worst]:.4f} ({worst}), mean {sum(others.values()) / len(others):.4f}")
else:
    print("no numeric column is outside of the condition")
