"""Golden values of table::accuracy. pip install mostlyai-qa==1.10.11; python accuracy.py"""

import numpy as np
import pandas as pd
from mostlyai.qa import _accuracy as qa


def table(rows, shift):
    i = np.arange(rows)
    labels = np.array(list("aaaaabbbbccd"))[(i * 7 + int(10 * shift)) % 12]
    return pd.DataFrame(
        {
            "x": np.sin(i) + shift,
            "few": np.floor(3 * np.cos(2 * i + shift)),
            "zeros": np.where(i % 10 < 7, 0.0, np.floor(1000 * np.sin(3 * i + shift))),
            "gaps": np.where(i % 9 == 0, np.nan, np.cos(i) * (1 + shift)),
            "labels": pd.Series(labels).where(pd.Series(i % 11 != 0), None),
        }
    )


real, synthetic = table(600, 0.0), table(500, 0.25)
real_bins, bins = qa.bin_data(real, 10)
synthetic_bins, _ = qa.bin_data(synthetic, bins)
names = list(real.columns)


def mean(sets):
    found = [qa.calculate_accuracy(real_bins[list(s)], synthetic_bins[list(s)]) for s in sets]
    return [float(np.mean([f[k] for f in found])) for k in (0, 1)]


for count in (1, 2, 3):
    import itertools

    print(count, mean(itertools.combinations(names, count)))
