// One artificial comparison star of many: the twin of `curve/ensemble.py` and `curve/clouds.py`.

const ensemble = (() => {
  const { MAD_TO_SIGMA, deviation, fill, leastSquares, median, orZero, robustScatter, sumOf, times } = linalg;
  const { over, sumOverStars, weightedMean } = weightings;
  const POINTS_PER_COLUMN = 5, MAX_DRIFT = 0.9, WILD_DRIFT = 3;
  const MIN_WITNESSES = 3, PATCHY_SIGMA = 2, NO_OTHERS = 1e-6, CLOUD_FRACTION = 0.6;

  /**
   * Join comparison stars.
   * @param {Float64Array[]} flux, fluxErr columns of the stars, (n,) ADU; NaN where not good
   * @param {Object} weighting {name, of_aij}
   * @param {Float64Array[]} baseline columns, (n,), a constant first: what stars may drift with
   * @returns {Object} as `Ensemble` of `curve/ensemble.py` has it
   */
  const build = (flux, fluxErr, weighting, baseline) => {
    const weigh = weightings[weighting.name];
    const weighed = weigh(flux, fluxErr);
    if (weighting.of_aij || flux.length < 2) return finish(flux, weighed);
    const flat = withoutDrift(flux, weighed, baseline);
    return finish(flat, weigh(flat, fluxErr));
  };

  /** Give all stars the drift that is typical of them. */
  const withoutDrift = (flux, { level, share, used }, baseline) => {
    const n = flux[0].length, columns = baseline.length, normalised = over(flux, level);
    const mean = weightedMean(normalised, share), number = sumOverStars(n, used);
    const told = [];
    for (let k = 0; k < flux.length; k++) {
      const rows = [];
      for (let i = 0; i < n; i++) if (used[k][i] && number[i] > 1) rows.push(i);
      if (rows.length < POINTS_PER_COLUMN * columns) continue;
      const design = baseline.map((column) => Float64Array.from(rows, (i) => column[i]));
      const values = Float64Array.from(rows, (i) => normalised[k][i] / mean[i]);
      const { coefficients, variance } = leastSquares(design, values);
      const noise = deviation(values.map((v, i) => v - times(design, coefficients, i)));
      const first = coefficients[0];
      told.push({
        k, drift: coefficients.map((c) => c / first),
        error: variance.map((v) => noise * Math.sqrt(v) / Math.abs(first)),
      });
    }
    if (!told.length) return flux;
    const common = typical(told), flat = flux.slice();
    const joint = fill(n, (i) => times(baseline, common, i));
    for (const { k, drift } of told) {
      const own = joint.map((_, i) => times(baseline, drift, i));
      const safe = own.every((v, i) =>
        Math.abs(v - 1) < MAX_DRIFT && Math.abs(joint[i] - 1) < MAX_DRIFT);
      if (safe) flat[k] = flux[k].map((f, i) => f * (joint[i] / own[i]));
    }
    return flat;
  };

  /** Average drifts by their errors and by how much they differ; wild ones are not. */
  const typical = (told) => told[0].drift.map((_, j) => {
    const drift = told.map((star) => star.drift[j]), error = told.map((star) => star.error[j]);
    const middle = median(drift);
    const differ = robustScatter(drift) ** 2;
    const beyond = Math.max(differ - median(error) ** 2, 0);
    let total = 0, sum = 0;
    for (let k = 0; k < drift.length; k++) {
      const variance = error[k] ** 2 + beyond;
      const near = (drift[k] - middle) ** 2 <= WILD_DRIFT ** 2 * Math.max(variance, differ);
      const weight = near ? 1 / Math.max(variance, 1e-30) : 0;
      total += weight;
      sum += weight * drift[k];
    }
    return sum / total;
  });

  /** Form the joint flux and its error. */
  const finish = (flux, weighed) => {
    const { share, used, scatter } = weighed, n = flux[0].length;
    const mean = weightedMean(over(flux, weighed.level), share), middle = median(mean);
    const transparency = mean.map((v) => v / middle);
    const level = weighed.level.map((v) => v * middle);
    const total = sumOverStars(n, share), scale = sumOf(level.length, (k) => level[k]);
    const fluxErr = total.map((all, i) => (all > 0 ? scale / all / middle * Math.sqrt(
      sumOf(share.length, (k) => (share[k][i] * orZero(weighed.error[k][i])) ** 2)) : NaN));
    const seen = sumOf(n, (i) => (total[i] > 0 ? 1 : 0));
    const shares = share.map((star) =>
      sumOf(n, (i) => (total[i] > 0 ? star[i] / total[i] : 0)) / seen);
    const whole = sumOf(shares.length, (k) => shares[k]);
    return {
      flux: transparency.map((v) => v * scale), flux_err: fluxErr, transparency, level, scatter,
      used, share, weights: shares.map((v) => v / whole), normalised: over(flux, level),
      error: weighed.error.map((star) => star.map((v) => v / middle)),
    };
  };

  /** Frames in which clouds may have dimmed the target otherwise than its comparisons. */
  const markClouds = (joined, airmass) => {
    const patchy = isPatchy(joined);
    return dimmed(joined.transparency, airmass).map((dark, i) => dark && patchy(i));
  };

  /** Whether the stars of a frame, each against the others, are off by more than their errors. */
  const isPatchy = ({ share, error, normalised, transparency }) => (i) => {
    const total = sumOf(share.length, (k) => share[k][i]);
    const noise = share.map((star, k) => (star[i] / total * orZero(error[k][i])) ** 2);
    const all = sumOf(noise.length, (k) => noise[k]);
    const witnesses = [];
    share.forEach((star, k) => {
      const rest = 1 - star[i] / total;
      const apart = (normalised[k][i] - transparency[i]) / rest;
      const off = apart / Math.sqrt(error[k][i] ** 2 + (all - noise[k]) / rest ** 2);
      if (rest > NO_OTHERS && Number.isFinite(off)) witnesses.push([error[k][i], Math.abs(off)]);
    });
    // The half that is known best.
    witnesses.sort((a, b) => a[0] - b[0]);
    const best = witnesses.slice(0, Math.max(witnesses.length >> 1, MIN_WITNESSES));
    return best.length < MIN_WITNESSES
      || MAD_TO_SIGMA * median(best.map(([, off]) => off)) > PATCHY_SIGMA;
  };

  /** Frames below 60 % of the clear sky, whose line follows the upper envelope. */
  const dimmed = (transparency, airmass) => {
    const n = transparency.length;
    const known = Uint8Array.from(transparency, (t) => Number.isFinite(t) && t > 0);
    const magnitude = transparency.map((t, i) => Math.log(known[i] ? t : 1));
    const column = airmass.map((x) => (Number.isFinite(x) ? x : 1));
    const middle = sumOf(n, (i) => column[i]) / n, inside = column.filter((_, i) => known[i]);
    const range = inside.reduce((a, b) => Math.max(a, b), -Infinity)
      - inside.reduce((a, b) => Math.min(a, b), Infinity);
    const design = [new Float64Array(n).fill(1), column.map((x) => x - middle)];
    if (inside.length < 10 || range < 0.05) design.pop();
    let use = known, line = new Float64Array(n);
    for (let round = 0; round < 10; round++) {
      const here = use, pick = (values) => values.filter((_, i) => here[i]);
      const values = pick(magnitude);
      if (values.length < 5) break;
      const { coefficients } = leastSquares(design.map(pick), values);
      if (design.length === 2) coefficients[1] = Math.min(coefficients[1], 0);
      line = line.map((_, i) => times(design, coefficients, i));
      const fitted = pick(line);
      const spread = Math.max(deviation(values.map((v, i) => v - fitted[i])), 0.02);
      use = known.map((there, i) => there && magnitude[i] > line[i] - 1.5 * spread);
    }
    return known.map((there, i) => there && magnitude[i] - line[i] < Math.log(CLOUD_FRACTION));
  };

  return { build, markClouds };
})();
