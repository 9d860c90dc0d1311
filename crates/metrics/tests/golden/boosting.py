"""Golden predictions of scikit-learn's histogram gradient boosting on a generated table.

pip install scikit-learn==1.9.1; python boosting.py > boosting.json        (formulas as in ../boosting.rs)
"""

import json

import numpy as np
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

i = np.arange(700)
x = (i * 7919 % 251) / 10
few = (i * i % 17).astype(float)
gaps = np.where(i % 9 == 0, np.nan, (i * 31 % 127).astype(float))
code = i * 7 % 3
level = x + 40 * (code == 1) - 25 * (code == 2) + np.where(np.isnan(gaps), 60, gaps / 4) + few
table = np.c_[x, few, gaps, code]
train, test = i[:600], i[600:]
settings = dict(early_stopping=False, categorical_features=[3], max_iter=20, max_leaf_nodes=8, min_samples_leaf=40)
out = {"scikit-learn": sklearn.__version__}
out["values"] = HistGradientBoostingRegressor(**settings).fit(table[train], level[train]).predict(table[test]).tolist()
for name, edges in [("two", [60]), ("three", [50, 80])]:
    classes = np.searchsorted(edges, level)
    model = HistGradientBoostingClassifier(**settings).fit(table[train], classes[train])
    out[name] = model.predict_proba(table[test]).T.tolist()
print(json.dumps(out))
