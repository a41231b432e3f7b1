// Level, straight lines and a transit by least squares: the twin of `transit/quick.py`.

const quick = (() => {
  const { backSolve, deviation, dot, factorise, meanOf, norm, times } = linalg;
  const { transitLight } = discs;

  const SCAN = 40, LEAST_RP = 1e-4, MAX_RP = 1.5, FINE = 400, OF_TRANSIT = 2;
  const DEPENDENT = 1e-6, CONVERGED = 1e-10, NEAR_ENOUGH = 1e-3, ROUNDING = 1e-12;
  const FAR = 0.1;
  const MAX_ROUNDS = 60, MAX_HALVINGS = 30, FILLED = 0.9;

  const pick = (values, rows) => Float64Array.from(rows, (i) => values[i]);

  /** Values (n,) of mean 0 and deviation 1 over `rows`, 0 where not finite; null where they tell nothing. */
  const standardised = (values, rows) => {
    const inside = pick(values, rows).filter(Number.isFinite);
    const low = inside.reduce((a, b) => Math.min(a, b), Infinity);
    const high = inside.reduce((a, b) => Math.max(a, b), -Infinity);
    const says = inside.length && inside.length >= FILLED * rows.length
      && high - low > 1e-9 * Math.max(Math.abs(low), Math.abs(high));
    if (!says) return null;
    const mean = meanOf(inside), spread = deviation(inside);
    return Float64Array.from(values, (v) => (Number.isFinite(v) ? (v - mean) / spread : 0));
  };

  /** Stack a constant and the covariates, (n,) each, that tell something new at `rows`. */
  const stackColumns = (n, rows, asked) => {
    const columns = [new Float64Array(n).fill(1)], names = [];
    for (const { name, values } of asked) {
      const column = standardised(values, rows);
      if (column === null || rows.length <= columns.length + 1) continue;
      const last = columns.length;
      const { r } = factorise([...columns, column].map((values) => pick(values, rows)));
      if (Math.abs(r[last][last]) > DEPENDENT * norm(pick(column, rows))) {
        columns.push(column);
        names.push(name);
      }
    }
    return { columns, names };
  };

  /** Coefficients of columns times a transit that suit the flux best, and what is left, in errors. */
  const suit = (points, transit) => {
    const { columns, flux, error } = points, n = flux.length;
    const weighed = columns.map((column) => column.map((v, i) => v * transit[i] / error[i]));
    const { r, project } = factorise(weighed.map((column) => column.slice()));
    const data = flux.map((v, i) => v / error[i]), rotated = data.slice();
    project(rotated);
    const coefficients = backSolve(r, rotated);
    const residual = new Float64Array(n);
    for (let i = 0; i < n; i++) residual[i] = data[i] - times(weighed, coefficients, i);
    return { coefficients, residual, chi2: dot(residual, residual) };
  };

  /**
   * Try a transit: what suits it best, the step to the best one and its length, and errors at those
   * of the points; null where they do not tell it.
   */
  const tryTransit = (points, shape, share, mid, rp) => {
    const { columns, error, since } = points, n = since.length;
    const [flux, byMid, byRp] = transitLight(shape, share, since, mid, rp);
    const suited = suit(points, flux);
    const trend = Float64Array.from(error, (_, i) => times(columns, suited.coefficients, i));
    const design = columns.map((column) => column.map((v, i) => v * flux[i] / error[i]));
    for (const by of [byMid, byRp]) design.push(by.map((v, i) => v * trend[i] / error[i]));
    const k = design.length, lengths = design.map(norm), { r, project } = factorise(design);
    if ([k - 2, k - 1].some((j) => !(Math.abs(r[j][j]) > DEPENDENT * lengths[j]))) return null;
    const rotated = suited.residual.slice();
    project(rotated);
    const a = r[k - 2][k - 2], b = r[k - 1][k - 2], c = r[k - 1][k - 1];
    const [first, second] = rotated.subarray(k - 2, k);
    return {
      mid, rp, ...suited, byMid: (first - b * second / c) / a, byRp: second / c,
      left: Math.hypot(first, second), midErr: Math.hypot(1 / a, b / (a * c)), rpErr: Math.abs(1 / c),
    };
  };

  /** The mid-time, of those that a transit may have, that suits best. */
  const scan = (points, shape, share) => {
    const moment = { ...shape, supersample: 1 }, window = shape.window_days;
    let best = null;
    for (let k = -1; k < SCAN; k++) {
      const mid = k < 0 ? 0 : window * ((2 * k + 1) / SCAN - 1);
      const light = transitLight(moment, share, points.since, mid, shape.rp_over_rs)[0];
      const { chi2 } = suit(points, light);
      if (best === null || chi2 < best.chi2) best = { mid, chi2 };
    }
    return best.mid;
  };

  /** Best transit by Gauss and Newton, and its errors; null where the points do not tell it. */
  const findTransit = (points, shape, share) => {
    const freedom = points.flux.length - points.columns.length - OF_TRANSIT;
    if (freedom < 1) return null;
    const window = shape.window_days, at = (mid, rp) => tryTransit(points, shape, share, mid, rp);
    let here = at(scan(points, shape, share), shape.rp_over_rs);
    for (let round = 0; round < MAX_ROUNDS && here !== null && here.left >= CONVERGED; round++) {
      const better = nextTrial(here, window, at);
      if (better === here) break;
      here = better;
    }
    if (here === null) return null;
    const scale = Math.sqrt(here.chi2 / freedom);
    const midErr = scale * here.midErr, rpErr = scale * here.rpErr;
    const told = here.left < NEAR_ENOUGH && midErr < window && rpErr < here.rp;
    return told ? { here, midErr, rpErr } : null;
  };

  /** The first of the step, its half, and so on, that is better; else the trial itself. */
  const nextTrial = (here, window, at) => {
    for (let halving = 0; halving < MAX_HALVINGS; halving++) {
      const mid = here.mid + here.byMid * 0.5 ** halving, rp = here.rp + here.byRp * 0.5 ** halving;
      if (!(Math.abs(mid) < window && rp > LEAST_RP && rp < MAX_RP)) continue;
      const trial = at(mid, rp);
      if (trial === null) return null;
      const nearer = trial.left < here.left || here.left > FAR;
      if (nearer && trial.chi2 <= here.chi2 * (1 + ROUNDING)) return trial;
    }
    return here;
  };

  /**
   * Fit a curve.
   * @param {Object} series {time, flux, flux_err} (n,) each
   * @param {Uint8Array} used n
   * @param {{name: string, values: Float64Array}[]} asked covariates
   * @param {Object|null} shape `Shape` of `transit/quick.py`, or null for level and lines alone
   * @param {number} share of the light that is the target's
   * @returns {Object} as `QuickFit` of `transit/quick.py` has it
   */
  const quickFit = ({ time, flux, flux_err: error }, used, asked, shape, share) => {
    const n = time.length, rows = [];
    for (let i = 0; i < n; i++) if (used[i]) rows.push(i);
    const { columns, names } = stackColumns(n, rows, asked);
    const origin = shape ? shape.mid : 0, since = Float64Array.from(time, (t) => t - origin);
    const points = {
      columns: columns.map((column) => pick(column, rows)),
      flux: pick(flux, rows), error: pick(error, rows), since: pick(since, rows),
    };
    const found = shape && findTransit(points, shape, share);
    const p = columns.length + (found ? OF_TRANSIT : 0);
    const nothing = { coefficients: columns.map(() => NaN), chi2: NaN };
    const best = found ? found.here
      : rows.length ? suit(points, new Float64Array(rows.length).fill(1)) : nothing;
    const usable = (i) => Number.isFinite(time[i]) && Number.isFinite(flux[i]);
    const light = found ? transitLight(shape, share, since, best.mid, best.rp)[0] : null;
    const model = Float64Array.from(time, (_, i) => (usable(i) ? (light ? light[i] : 1) : NaN));
    const trend = Float64Array.from(time, (_, i) =>
      (usable(i) ? times(columns, best.coefficients, i) : NaN));
    const residual = Float64Array.from(flux, (f, i) => f / (trend[i] * model[i]) - 1);
    return {
      trend, model, residual, detrended: Float64Array.from(flux, (f, i) => f / trend[i]),
      covariates: names, n_points: rows.length, chi2: best.chi2,
      scatter: rows.length ? deviation(pick(residual, rows)) : NaN,
      bic: best.chi2 + p * Math.log(rows.length),
      ...(found ? transitNumbers(found, shape, share, since) : NO_TRANSIT),
    };
  };

  const NO_TRANSIT = {
    fine: null, mid_time: null, mid_time_err: null, rp_over_rs: null, rp_over_rs_err: null,
    depth: null,
  };

  const transitNumbers = ({ here, midErr, rpErr }, shape, share, since) => {
    const known = since.filter(Number.isFinite);
    const first = known.reduce((a, b) => Math.min(a, b)), last = known.reduce((a, b) => Math.max(a, b));
    const fine = Float64Array.from({ length: FINE }, (_, k) => first + (last - first) * k / (FINE - 1));
    const moment = { ...shape, exposure_days: 0, supersample: 1 };
    return {
      fine: {
        time: fine.map((t) => t + shape.mid),
        flux: transitLight(shape, share, fine, here.mid, here.rp)[0],
      },
      mid_time: shape.mid + here.mid, mid_time_err: midErr,
      rp_over_rs: here.rp, rp_over_rs_err: rpErr,
      depth: 1 - transitLight(moment, 1, Float64Array.of(here.mid), here.mid, here.rp)[0][0],
    };
  };

  return { fit: quickFit };
})();
