// How comparison stars are weighed: the twin of `curve/weightings.py` and `curve/bends.py`, where
// each step is told. Star k has the column flux[k], (n,) ADU, NaN where it takes no part. Plain
// loops: this is gone through a hundred times.

const weightings = (() => {
  const { MAD_TO_SIGMA, fill, larger, median, orZero, robustScatter, sumOf } = linalg;
  const CLIP_SIGMA = 5, MAX_ITERATIONS = 60, TOLERANCE = 1e-4, PRIOR_POINTS = 20;
  const MIN_BENDS = 4, OWN_ROUNDS = 4, MORE_SIGMA = 2, MOST_BENDS = 1000, CLIP_BEND = 16;
  const PER_BEND = 35 / 9;

  const columnsLike = (columns, Kind = Float64Array) => columns.map((c) => new Kind(c.length));

  /** Where values are finite, as 0 and 1. */
  const finite = (columns) => columns.map((column) => {
    const there = new Uint8Array(column.length);
    for (let i = 0; i < column.length; i++) there[i] = Number.isFinite(column[i]) ? 1 : 0;
    return there;
  });

  const sumOverStars = (n, columns) => {
    const sum = new Float64Array(n);
    for (const column of columns) for (let i = 0; i < n; i++) sum[i] += column[i];
    return sum;
  };

  /** Columns over a number each. */
  const over = (flux, level) => flux.map((star, k) => {
    const values = new Float64Array(star.length), of = level[k];
    for (let i = 0; i < star.length; i++) values[i] = star[i] / of;
    return values;
  });

  /** 1 for a star that no other was there to compare with. */
  const orOne = (middle) => (middle === middle ? middle : 1);

  /** Mean of each frame, (n,); NaN where no star has a share. */
  const weightedMean = (normalised, share) => {
    const n = normalised[0].length, mean = new Float64Array(n), total = sumOverStars(n, share);
    for (let k = 0; k < share.length; k++) {
      const values = normalised[k], own = share[k];
      for (let i = 0; i < n; i++) mean[i] += orZero(values[i]) * own[i];
    }
    for (let i = 0; i < n; i++) mean[i] = total[i] > 0 ? mean[i] / total[i] : NaN;
    return mean;
  };

  /** Alternate between levels and transparency until the levels stand still. */
  const fitLevels = (flux, shareOf) => {
    const there = finite(flux);
    let level = flux.map(median);
    for (let round = 0; round < MAX_ITERATIONS; round++) {
      const share = there.map((star, k) => fill(star.length, (i) => star[i] * shareOf(level[k])));
      const transparency = weightedMean(over(flux, level), share);
      const next = flux.map((star) =>
        orOne(median(fill(star.length, (i) => star[i] / transparency[i]))));
      const change = Math.max(...next.map((v, k) => Math.abs(v / level[k] - 1)));
      level = next;
      if (change < TOLERANCE) break;
    }
    return level;
  };

  /** Each star's flux over the transparency by the others. */
  const leaveOneOut = (normalised, share) => {
    const n = normalised[0].length, ratio = columnsLike(normalised);
    if (ratio.length === 1) {
      return [fill(n, (i) => (Number.isFinite(normalised[0][i]) ? 1 : NaN))];
    }
    const total = sumOverStars(n, share), sum = new Float64Array(n);
    for (let k = 0; k < ratio.length; k++) {
      const values = normalised[k], own = share[k];
      for (let i = 0; i < n; i++) sum[i] += orZero(values[i]) * own[i];
    }
    for (let k = 0; k < ratio.length; k++) {
      const values = normalised[k], own = share[k], of = ratio[k];
      for (let i = 0; i < n; i++) {
        const weight = total[i] - own[i];
        of[i] = weight > 0 ? values[i] / ((sum[i] - orZero(values[i]) * own[i]) / weight) : NaN;
      }
    }
    return ratio;
  };

  /** Scatter of each star alone: what is measured holds that of the others' mean too. */
  const ownScatter = (measured, scatter, photon, count) => {
    const inverse = scatter.map((s) => 1 / s ** 2);
    const all = sumOf(inverse.length, (k) => inverse[k]);
    const own = measured.map((m, k) => {
      const others = all - inverse[k];
      return larger(m ** 2 - (others > 0 ? 1 / others : 0), m ** 2 / 3);
    });
    const usual = median(own.map((v, k) => v / photon[k] ** 2));
    return own.map((v, k) => {
      const told = count[k] * v + PRIOR_POINTS * photon[k] ** 2 * usual;
      const drawn = Math.sqrt(larger(told / (count[k] + PRIOR_POINTS), photon[k] ** 2));
      return Number.isFinite(drawn) ? drawn : scatter[k];
    });
  };

  const sharesOf = (used, scatter, photon) => {
    const share = columnsLike(photon);
    for (let k = 0; k < share.length; k++) {
      const own = share[k], there = used[k], of = photon[k], least = scatter[k];
      for (let i = 0; i < own.length; i++) own[i] = there[i] ? 1 / larger(least, of[i]) ** 2 : 0;
    }
    return share;
  };

  /** Mark what is not wild, sigma or more being its noise; a frame all wild is the frame's fault. */
  const keepTame = (there, ratio, middle, share, sigma, photon) => {
    const n = there[0].length, total = sumOverStars(n, share), tame = columnsLike(there, Uint8Array);
    const left = new Uint8Array(n);
    for (let k = 0; k < tame.length; k++) {
      for (let i = 0; i < n; i++) {
        const weight = total[i] - share[k][i], own = larger(sigma[k], photon[k][i]);
        const noise = Math.sqrt(own * own + (weight > 0 ? 1 / weight : 0));
        const wild = Math.abs(ratio[k][i] / middle[k] - 1) > CLIP_SIGMA * noise;
        tame[k][i] = there[k][i] && !wild ? 1 : 0;
        left[i] |= tame[k][i];
      }
    }
    for (let k = 0; k < tame.length; k++) {
      for (let i = 0; i < n; i++) if (!left[i]) tame[k][i] = there[k][i];
    }
    return tame;
  };

  const isSame = (some, others) => {
    for (let k = 0; k < some.length; k++) {
      for (let i = 0; i < some[k].length; i++) if (some[k][i] !== others[k][i]) return false;
    }
    return true;
  };

  const byScatter = (flux, fluxErr) => {
    const n = flux[0].length, there = finite(flux);
    const photon = flux.map((star, k) => fill(n, (i) => fluxErr[k][i] / star[i]));
    const foretold = photon.map(median), count = there.map((star) => sumOf(n, (i) => star[i]));
    const usual = median(fill(n * flux.length, (i) => photon[Math.floor(i / n)][i % n]));
    let level = fitLevels(flux, () => 1), scatter = foretold.map((f) => Math.hypot(f, usual));
    let used = there;
    for (let round = 0; round < MAX_ITERATIONS; round++) {
      const share = sharesOf(used, scatter, photon);
      const ratio = leaveOneOut(over(flux, level), share), middleRatio = ratio.map(median);
      const measured = ratio.map((star, k) => robustScatter(star, middleRatio[k]));
      const next = ownScatter(measured, scatter, foretold, count), middle = middleRatio.map(orOne);
      const change = Math.max(...next.map((s, k) => Math.abs(Math.log(s / scatter[k]))));
      const sigma = next.map((s, k) => larger(s, scatter[k]));
      const kept = keepTame(there, ratio, middle, share, sigma, photon);
      scatter = scatter.map((s, k) => Math.sqrt(s * next[k]));
      level = level.map((v, k) => v * Math.sqrt(middle[k]));
      const same = isSame(kept, used);
      used = kept;
      if (same && change < TOLERANCE) break;
    }
    const share = sharesOf(used, scatter, photon), normalised = over(flux, level);
    const more = ownNoise(normalised, share, photon).map(Math.sqrt);
    const error = normalised.map((star, k) => fill(n, (i) => star[i] * more[k] * photon[k][i]));
    return { level, share, scatter, used, error };
  };

  /** By how much the variance of each star is more than its errors have it. */
  const ownNoise = (normalised, share, photon) => {
    const n = normalised[0].length, first = bends(n), ones = normalised.map(() => 1);
    if (first.length < MIN_BENDS || normalised.length === 1) return ones;
    const relative = normalised.map((star, k) => fill(n, (i) => (share[k][i] > 0 ? star[i] : NaN)));
    let more = ones;
    for (let round = 0; round < OWN_ROUNDS; round++) {
      const variance = photon.map((star, k) => fill(n, (i) => more[k] * star[i] ** 2));
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
    const n = share[0].length, total = sumOverStars(n, share);
    const mean = fill(n, (i) => (total[i] > 0 ? 0 : NaN)), ofMean = mean.slice();
    for (let k = 0; k < share.length; k++) {
      for (let i = 0; i < n; i++) {
        const h = share[k][i] / total[i];
        mean[i] += h * orZero(relative[k][i]);
        ofMean[i] += h ** 2 * orZero(variance[k][i]);
      }
    }
    const square = relative.map((star, k) => {
      const residual = fill(n, (i) => star[i] / mean[i]);
      const expected = fill(n, (i) =>
        variance[k][i] * (1 - 2 * share[k][i] / total[i]) + ofMean[i]);
      return fill(first.length, (j) => {
        const i = first[j], bend = residual[i] - 2 * residual[i + 1] + residual[i + 2];
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
    const share = used.map((star, k) => fill(star.length, (i) => star[i] * level[k]));
    const scatter = leaveOneOut(over(flux, level), share).map((star) => robustScatter(star));
    return { level, share, scatter, used, error: over(fluxErr, level) };
  };

  return { scatter: byScatter, sum: byFlux, weightedMean, over, sumOverStars };
})();
