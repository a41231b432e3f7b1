// How comparison stars are weighed: the twin of `curve/weightings.py` and `curve/bends.py`, where
// each step is told. Star k has the column flux[k], (n,) ADU, NaN where it takes no part.

const weightings = (() => {
  const { MAD_TO_SIGMA, larger, median, medianOf, orZero, sumOf } = linalg;
  const CLIP_SIGMA = 5, MAX_ITERATIONS = 60, TOLERANCE = 1e-4, PRIOR_POINTS = 20;
  const MIN_BENDS = 4, OWN_ROUNDS = 4, MORE_SIGMA = 2, MOST_BENDS = 1000, CLIP_BEND = 16;
  const PER_BEND = 35 / 9;

  const table = (n, stars, of) =>
    stars.map((_, k) => Float64Array.from({ length: n }, (_, i) => of(i, k)));
  const finite = (flux) => flux.map((star) => Uint8Array.from(star, Number.isFinite));
  const sumOverStars = (n, columns) =>
    Float64Array.from({ length: n }, (_, i) => sumOf(columns.length, (k) => columns[k][i]));
  const scatterOf = (values) => {
    const middle = median(values);
    return MAD_TO_SIGMA * medianOf(values.length, (i) => Math.abs(values[i] - middle));
  };
  /** 1 for a star that no other was there to compare with. */
  const middleOf = (values) => {
    const middle = median(values);
    return middle === middle ? middle : 1;
  };

  /** Mean of each frame, (n,); NaN where no star has a share. */
  const weightedMean = (normalised, share) => Float64Array.from(normalised[0], (_, i) => {
    let total = 0, sum = 0;
    for (let k = 0; k < share.length; k++) {
      total += share[k][i];
      sum += orZero(normalised[k][i]) * share[k][i];
    }
    return total > 0 ? sum / total : NaN;
  });

  const over = (flux, level) => flux.map((star, k) => star.map((f) => f / level[k]));

  /** Alternate between levels and transparency until the levels stand still. */
  const fitLevels = (flux, shareOf) => {
    let level = flux.map(median);
    for (let round = 0; round < MAX_ITERATIONS; round++) {
      const share = flux.map((star, k) =>
        star.map((f) => (Number.isFinite(f) ? shareOf(level[k]) : 0)));
      const transparency = weightedMean(over(flux, level), share);
      const next = flux.map((star) =>
        middleOf(star.map((f, i) => f / transparency[i])));
      const change = Math.max(...next.map((v, k) => Math.abs(v / level[k] - 1)));
      level = next;
      if (change < TOLERANCE) break;
    }
    return level;
  };

  /** Each star's flux over the transparency by the others. */
  const leaveOneOut = (normalised, share) => {
    const n = normalised[0].length;
    if (normalised.length === 1) {
      return [normalised[0].map((v) => (Number.isFinite(v) ? 1 : NaN))];
    }
    const filled = normalised.map((star, k) => star.map((v, i) => orZero(v) * share[k][i]));
    const sum = sumOverStars(n, filled), total = sumOverStars(n, share);
    return normalised.map((star, k) => star.map((v, i) => {
      const weight = total[i] - share[k][i];
      return weight > 0 ? v / ((sum[i] - filled[k][i]) / weight) : NaN;
    }));
  };

  /** Scatter of each star alone: what is measured holds that of the others' mean too. */
  const ownScatter = (measured, scatter, photon, count) => {
    const inverse = scatter.map((s) => 1 / s ** 2);
    const all = sumOf(inverse.length, (k) => inverse[k]);
    const own = measured.map((m, k) => {
      const others = all - inverse[k];
      return larger(m ** 2 - (others > 0 ? 1 / others : 0), m ** 2 / 3);
    });
    const usual = medianOf(own.length, (k) => own[k] / photon[k] ** 2);
    return own.map((v, k) => {
      const told = count[k] * v + PRIOR_POINTS * photon[k] ** 2 * usual;
      return Math.sqrt(larger(told / (count[k] + PRIOR_POINTS), photon[k] ** 2));
    });
  };

  const sharesOf = (used, scatter, photon) => used.map((star, k) =>
    Float64Array.from(star, (u, i) => (u ? 1 / larger(scatter[k], photon[k][i]) ** 2 : 0)));

  /** Mark what is not wild; a frame in which every star is wild is the frame's fault. */
  const keepTame = (flux, ratio, middle, share, sigmaOf) => {
    const total = sumOverStars(flux[0].length, share), there = finite(flux);
    const tame = there.map((star, k) => star.map((known, i) => {
      const weight = total[i] - share[k][i];
      const noise = Math.hypot(sigmaOf(k, i), weight > 0 ? 1 / Math.sqrt(weight) : 0);
      return known && !(Math.abs(ratio[k][i] / middle[k] - 1) > CLIP_SIGMA * noise);
    }));
    for (let i = 0; i < total.length; i++) {
      if (!tame.some((star) => star[i])) tame.forEach((star, k) => { star[i] = there[k][i]; });
    }
    return tame;
  };

  const byScatter = (flux, fluxErr) => {
    const photon = flux.map((star, k) => star.map((f, i) => fluxErr[k][i] / f));
    const foretold = photon.map(median), n = flux[0].length;
    const usual = medianOf(n * flux.length, (i) => photon[Math.floor(i / n)][i % n]);
    let level = fitLevels(flux, () => 1), scatter = foretold.map((f) => Math.hypot(f, usual));
    let used = finite(flux);
    const count = used.map((star) => sumOf(n, (i) => star[i]));
    for (let round = 0; round < MAX_ITERATIONS; round++) {
      const share = sharesOf(used, scatter, photon);
      const ratio = leaveOneOut(over(flux, level), share), middle = ratio.map(middleOf);
      const told = ownScatter(ratio.map(scatterOf), scatter, foretold, count);
      const next = told.map((s, k) => (Number.isFinite(s) ? s : scatter[k]));
      const change = Math.max(...next.map((s, k) => Math.abs(Math.log(s / scatter[k]))));
      const sigmaOf = (k, i) => larger(next[k], larger(scatter[k], photon[k][i]));
      const kept = keepTame(flux, ratio, middle, share, sigmaOf);
      scatter = scatter.map((s, k) => Math.sqrt(s * next[k]));
      level = level.map((v, k) => v * Math.sqrt(middle[k]));
      const same = kept.every((star, k) => star.every((u, i) => u === used[k][i]));
      used = kept;
      if (same && change < TOLERANCE) break;
    }
    const share = sharesOf(used, scatter, photon), normalised = over(flux, level);
    const more = ownNoise(normalised, share, photon);
    const error = table(n, flux, (i, k) => normalised[k][i] * Math.sqrt(more[k]) * photon[k][i]);
    return { level, share, scatter, used, error };
  };

  /** By how much the variance of each star is more than its errors have it. */
  const ownNoise = (normalised, share, photon) => {
    const first = bends(normalised[0].length), ones = normalised.map(() => 1);
    if (first.length < MIN_BENDS || normalised.length === 1) return ones;
    const relative = normalised.map((star, k) => star.map((v, i) => (share[k][i] > 0 ? v : NaN)));
    let more = ones;
    for (let round = 0; round < OWN_ROUNDS; round++) {
      const variance = photon.map((star, k) => star.map((p) => more[k] * p ** 2));
      const told = measureExcess(relative, share, variance, first);
      more = more.map((m, k) =>
        (m * told[k].ratio > 1 + MORE_SIGMA * told[k].spread ? m * told[k].ratio : 1));
    }
    return more;
  };

  /** First of three frames in a row; at most `MOST_BENDS`, spread evenly. */
  const bends = (n) => {
    const all = Math.max(n - 2, 0);
    if (all <= MOST_BENDS) return Array.from({ length: all }, (_, i) => i);
    const step = (all - 1) / (MOST_BENDS - 1);
    return Array.from({ length: MOST_BENDS }, (_, i) =>
      (i === MOST_BENDS - 1 ? all - 1 : Math.floor(i * step)));
  };

  const measureExcess = (relative, share, variance, first) => {
    const n = share[0].length, stars = share.length, total = sumOverStars(n, share);
    const mean = new Float64Array(n), ofMean = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      if (!(total[i] > 0)) mean[i] = ofMean[i] = NaN;
      for (let k = 0; k < stars; k++) {
        const h = share[k][i] / total[i];
        mean[i] += h * orZero(relative[k][i]);
        ofMean[i] += h ** 2 * orZero(variance[k][i]);
      }
    }
    const square = relative.map((star, k) => {
      const residual = star.map((v, i) => v / mean[i]);
      const expected = variance[k].map((v, i) => v * (1 - 2 * share[k][i] / total[i]) + ofMean[i]);
      return Float64Array.from(first, (i) => {
        const bend = residual[i] - 2 * residual[i + 1] + residual[i + 2];
        const value = bend ** 2 / (expected[i] + 4 * expected[i + 1] + expected[i + 2]);
        return Number.isFinite(value) ? value : NaN;
      });
    });
    const usual = square.map((star) => MAD_TO_SIGMA ** 2 * median(star)), ofAll = median(usual);
    return square.map((star, k) => {
      const reach = CLIP_BEND * larger(usual[k], ofAll), kept = star.filter((s) => s <= reach);
      const number = Math.max(kept.length, 1);
      const ratio = sumOf(kept.length, (i) => kept[i]) / number;
      return {
        ratio: Number.isFinite(usual[k]) ? ratio : NaN, spread: Math.sqrt(PER_BEND / number),
      };
    });
  };

  const byFlux = (flux, fluxErr) => {
    const used = finite(flux), level = fitLevels(flux, (v) => v);
    const share = used.map((star, k) => Float64Array.from(star, (u) => (u ? level[k] : 0)));
    const scatter = leaveOneOut(over(flux, level), share).map(scatterOf);
    return { level, share, scatter, used, error: over(fluxErr, level) };
  };

  return { scatter: byScatter, sum: byFlux, weightedMean, over, sumOverStars };
})();
