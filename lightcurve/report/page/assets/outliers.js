// Points far from every local model of their neighbours: the twin of `curve/outliers.py`.

const outliers = (() => {
  const { deviation, fill, median, robustScatter, sumOf } = linalg;
  const OUTLIER_SIGMA = 4.5, EXPLAINED_SIGMA = 2.2, LEFT_SIGMA = 3.5, CLIP = 3, FEW = 20;
  const EACH_SIDE = 4, ONE_SIDE = 5, FLANK = 2, FLANK_SHARE = 0.2, PASSES = 3, RUN = 3;

  /** Points to mark, Uint8Array (n,), of times, fluxes and errors, (n,) each. */
  const mark = (time, flux, error) => {
    const rows = [...flux.keys()].filter((i) => Number.isFinite(flux[i]) && Number.isFinite(time[i]))
      .sort((a, b) => time[a] - time[b]);
    const wild = new Uint8Array(flux.length);
    if (rows.length < EACH_SIDE) return wild;
    const of = (values) => Float64Array.from(rows, (i) => values[i]);
    const values = of(flux);
    const bends = values.slice(2).map((v, i) => (v - 2 * values[i + 1] + values[i]) / Math.sqrt(6));
    const told = bends.length < FEW ? robustScatter(bends, 0) : clippedScatter(bends);
    const scatter = Math.max(told === told ? told : 0, 1e-9);
    const series = {
      time: of(time), flux: values,
      sigma: of(error).map((e) => (e > scatter ? e : scatter)),
    };
    let found = new Uint8Array(rows.length);
    for (let pass = 0; pass < PASSES; pass++) {
      const before = found;
      found = farFromAll(series, before);
      if (found.every((v, i) => v === before[i])) break;
    }
    rows.forEach((row, i) => { wild[row] = found[i]; });
    return wild;
  };

  /** Standard deviation of what lies within three robust ones of the median. */
  const clippedScatter = (values) => {
    const sigma = robustScatter(values), middle = median(values);
    if (!(sigma > 0)) return sigma;
    const kept = values.filter((v) => Math.abs(v - middle) <= CLIP * sigma);
    return deviation(kept) * Math.sqrt(kept.length / Math.max(kept.length - 1, 1));
  };

  const farFromAll = (series, leftOut) => {
    const n = leftOut.length, good = [...leftOut.keys()].filter((i) => !leftOut[i]);
    const off = fill(n, (k) => {
      const [before, after] = neighbours(series.time, good, k, k, EACH_SIDE);
      return before.length && after.length ? offLine(series, k, [...before, ...after]) : 0;
    });
    const side = off.map((v) => (Math.abs(v) > OUTLIER_SIGMA ? Math.sign(v) : 0));
    const suspect = withoutRuns(side), found = new Uint8Array(n);
    for (let k = 0; k < n; k++) {
      if (!suspect[k]) continue;
      const first = k && suspect[k - 1] && off[k - 1] * off[k] > 0 ? k - 1 : k;
      const last = k + 1 < n && suspect[k + 1] && off[k + 1] * off[k] > 0 ? k + 1 : k;
      if (last - first + 1 + flanks(series, good, first, last, off[k]) >= RUN) continue;
      const [before, after] = neighbours(series.time, good, first, last, ONE_SIDE);
      if (!before.length || !after.length) continue;
      const away = (some) => Math.sign(off[k]) * offLine(series, k, some);
      const both = [...before, ...after], next = [before[before.length - 1], after[0]];
      found[k] = [next, before, after].every((some) => away(some) > EXPLAINED_SIGMA)
        && both.every((_, one) => away(both.filter((_, i) => i !== one)) > LEFT_SIGMA);
    }
    return found;
  };

  /** Points off to a side (-1 or 1) whose neighbours do not make three in a row of them. */
  const withoutRuns = (side) => {
    const kept = new Uint8Array(side.length);
    for (let start = 0, end; start < side.length; start = end) {
      for (end = start + 1; end < side.length && side[end] === side[start]; end++);
      if (side[start] && end - start < RUN) kept.fill(1, start, end);
    }
    return kept;
  };

  /** Points next to those from first to last that are the flanks of a short dip or flare. */
  const flanks = (series, good, first, last, height) => {
    const [before, after] = neighbours(series.time, good, first, last, EACH_SIDE + FLANK);
    const beyond = [...before.slice(0, -FLANK), ...after.slice(FLANK)];
    if (beyond.length < EACH_SIDE) return 0;
    const least = Math.max(EXPLAINED_SIGMA, FLANK_SHARE * Math.abs(height));
    let count = 0;
    for (const flank of [before.slice(-FLANK).reverse(), after.slice(0, FLANK)]) {
      for (const k of flank) {
        if (Math.sign(height) * offLine(series, k, beyond) <= least) break;
        count += 1;
      }
    }
    return count;
  };

  /** Good points next before and after, no farther than either side reaches. */
  const neighbours = (time, good, first, last, most) => {
    let low = 0, high = good.length;
    while (low < good.length && good[low] < first) low++;
    while (high > 0 && good[high - 1] > last) high--;
    const before = good.slice(Math.max(low - most, 0), low), after = good.slice(high, high + most);
    if (!before.length || !after.length) return [before, after];
    const back = (k) => time[first] - time[k], ahead = (k) => time[k] - time[last];
    const reach = Math.min(
      before.length === most ? Math.max(...before.map(back)) : Infinity,
      after.length === most ? Math.max(...after.map(ahead)) : Infinity);
    return [before.filter((k) => back(k) <= reach), after.filter((k) => ahead(k) <= reach)];
  };

  /** How far point k is off the line through some others, over the error of the difference. */
  const offLine = ({ time, flux, sigma }, k, some) => {
    const n = some.length, mean = (of) => sumOf(n, (j) => of(some[j])) / n;
    const middle = mean((j) => time[j] - time[k]), level = mean((j) => flux[j]);
    const spread = n * mean((j) => (time[j] - time[k] - middle) ** 2);
    const slope = spread > 0 ? n * mean((j) => (time[j] - time[k] - middle) * flux[j]) / spread : 0;
    const share = n === 1 ? 1 : 1 / n + (spread > 0 ? middle ** 2 / spread : 0);
    const variance = sigma[k] ** 2 + share * mean((j) => sigma[j] ** 2);
    return (flux[k] - level + slope * middle) / Math.sqrt(variance);
  };

  return { mark };
})();
