"""Golden values of scores of text, from their formulas: python3 texts.py"""
import math
from collections import Counter


def ngram_bits(texts, order, alphabet, text):
    """Witten-Bell interpolation over all orders, with a beginning and an end of every text."""
    counts, totals, types = Counter(), Counter(), Counter()
    for t in texts:
        s = ['<'] + list(t) + ['>']
        for i in range(1, len(s)):
            for n in range(min(order, i + 1)):
                h = tuple(s[i - n:i])
                totals[h] += 1
                types[h] += (h, s[i]) not in counts
                counts[h, s[i]] += 1

    def p(h, c):
        lower = p(h[1:], c) if h else 1 / (alphabet + 2)
        return (counts[h, c] + types[h] * lower) / (totals[h] + types[h]) if totals[h] else lower

    s = ['<'] + list(text) + ['>']
    return sum(-math.log2(p(tuple(s[max(0, i - order + 1):i]), s[i])) for i in range(1, len(s)))


def bleu(words, others):
    """BLEU-4; a precision without a match counts as half a match, texts of fewer than four words have fewer orders."""
    orders, logs = min(4, len(words)), 0
    for n in range(1, orders + 1):
        grams = lambda t: Counter(tuple(t[i:i + n]) for i in range(len(t) - n + 1))
        found = sum(min(c, max(grams(o)[g] for o in others)) for g, c in grams(words).items())
        logs += math.log((found or .5) / (len(words) - n + 1))
    near = min((abs(len(o) - len(words)), len(o)) for o in others)[1]
    return (1 if len(words) >= near else math.exp(1 - near / len(words))) * math.exp(logs / orders)


def area(p, q):
    kl = lambda x, r: sum(a * math.log(a / b) for a, b in zip(x, r) if a > 0)
    points = [(1., 0.), (0., 1.)]
    for i in range(25):
        w = 1e-6 + (1 - 2e-6) * i / 24
        r = [w * a + (1 - w) * b for a, b in zip(p, q)]
        points.append((math.exp(-5 * kl(q, r)), math.exp(-5 * kl(p, r))))
    under = lambda ps: sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in zip(ps, ps[1:]))
    return (under(sorted(points, key=lambda a: (a[0], -a[1]))) + under(sorted([(y, x) for x, y in points], key=lambda a: (a[0], -a[1])))) / 2


print('n-grams', [ngram_bits(['abab', 'abc'], 3, 3, text) for text in ('ab', 'abab', 'cx')])
lines = [line.split() for line in ('the cat sat on the mat', 'the dog sat on the log today', 'a cat and a dog')]
print('self-BLEU', sum(bleu(line, [o for o in lines if o is not line]) for line in lines) / 3)
print('area', area([.1, .2, .3, .4], [.4, .3, .2, .1]))
