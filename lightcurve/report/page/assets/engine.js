// The curve of any choice, worked out in the page: the twin of `curve/form.py` with `retake`, and of
// `transit/quick.py`. Nothing here knows of the document.
//
// data.cube, blocks unpacked to {shape, values}; n frames, s stars, r radii, a apertures:
/**
 * @typedef {Object} Cube
 * @property {number[]} rows of the plan, s, the target's first
 * @property {number[]} radii r, pixels, ascending
 * @property {Block} flux (n, s, r) whole numbers of steps, -2^31 where not measured
 * @property {Block} flux_step (s, r) ADU
 * @property {Block} flux_err (n, s, r) ADU, NaN where not measured
 * @property {Block} flags (n, s, r) bits of `core/flags.py::Flag`
 * @property {{label: string, kind: string, value: number, share: number}[]} apertures a; kind is
 *   fixed (value in pixels), fwhm (times `fwhm`) or width (`radius_used`); share of the light in it
 *   that is the target's
 * @property {{name: string, label: string, values: ?Block}[]} covariates (n) or, where the aperture
 *   changes them, (a, n); null for the transparency, which follows from the choice
 * @property {{name: string, help: string, of_aij: boolean}[]} weightings
 * @property {Block} jd_utc, time, airmass, fwhm (n); time is BJD_TDB or, where there is none, JD_UTC
 * @property {?Block} radius_used (n) pixels
 * @property {?Block} outside (n) 1 outside the predicted transit
 * @property {Block} baseline (k, n) what stars may drift with, a constant first
 * @property {?Object} transit `transit/quick.py::Shape`
 * @property {number} unusable, no_point, min_points
 * @property {Object<string, number>} bits of single flags
 */

const engine = (() => {
  const { fill, median } = linalg;
  const MIN_LEVEL = 3, NOT_MEASURED = -(2 ** 31);

  /** Lagrange weights, (r,), of the up to four radii nearest to a wanted one. */
  const interpolationWeights = (radii, wanted) => {
    const order = Math.min(4, radii.length);
    const below = radii.filter((radius) => radius < wanted).length;
    const first = Math.min(Math.max(below - (order >> 1), 0), radii.length - order);
    const weights = new Float64Array(radii.length);
    for (let j = first; j < first + order; j++) {
      weights[j] = 1;
      for (let k = first; k < first + order; k++) {
        if (k !== j) weights[j] *= (wanted - radii[k]) / (radii[j] - radii[k]);
      }
    }
    return weights;
  };

  /** Radius of an aperture in every frame, (n,) pixels, kept inside the ladder. */
  const frameRadius = ({ fwhm, radii, radius_used: used }, { kind, value }) => {
    if (kind === "width" && used) return used.values;
    if (kind !== "fwhm") return fwhm.values.map(() => value);
    const low = radii[0], high = radii[radii.length - 1];
    return fwhm.values.map((width) => Math.min(Math.max(value * width, low), high));
  };

  /**
   * Read some stars of the cube at an aperture: the twin of `curve/aperture.py`.
   * @param {number[]} stars places in the cube
   * @returns columns flux, fluxErr, flags and good of each star, (n,), and radius (n,)
   */
  const takeAperture = (cube, aperture, stars) => {
    const [n, s, r] = cube.flux.shape, radius = frameRadius(cube, aperture);
    const columns = (Kind) => stars.map(() => new Kind(n));
    const taken = {
      radius, flux: columns(Float64Array), fluxErr: columns(Float64Array),
      flags: columns(Uint16Array), good: columns(Uint8Array),
    };
    for (let i = 0; i < n; i++) {
      const weights = interpolationWeights(cube.radii, radius[i]);
      const within = cube.radii.filter((rung) => rung < radius[i] - 1e-9).length;
      const outer = Math.min(within, r - 1);
      stars.forEach((star, k) => {
        const start = (i * s + star) * r;
        let flux = 0, error = 0;
        for (let j = 0; j < r; j++) {
          if (weights[j] === 0) continue; // a NaN there does not count
          const steps = cube.flux.values[start + j];
          flux += steps === NOT_MEASURED ? NaN : steps * cube.flux_step.values[star * r + j] * weights[j];
          error += cube.flux_err.values[start + j] * weights[j];
        }
        taken.flux[k][i] = Number.isFinite(flux) ? flux : NaN;
        taken.fluxErr[k][i] = Number.isFinite(error) ? error : NaN;
        taken.flags[k][i] = cube.flags.values[start + outer];
        taken.good[k][i] = Number.isFinite(error) && flux > 0
          && !(taken.flags[k][i] & cube.unusable);
      });
    }
    return taken;
  };

  /** Level that becomes 1: outside the transit where there is enough of that. */
  const levelOf = (ratio, good, outside) => {
    const usable = fill(ratio.length, (i) => (good[i] && Number.isFinite(ratio[i]) ? ratio[i] : NaN));
    const free = outside ? usable.filter((v, i) => v === v && outside.values[i]) : [];
    return median(free.length < MIN_LEVEL ? usable : free);
  };

  /** Comparison stars of a choice that the cube has and that were measured, ascending by row. */
  const takeStars = (cube, aperture, choice) => {
    const places = [...new Set(choice.rows)].sort((a, b) => a - b)
      .map((row) => cube.rows.indexOf(row)).filter((place) => place > 0);
    const piece = takeAperture(cube, aperture, [0, ...places]);
    const present = [...places.keys()].filter((k) => piece.good[k + 1].some((good) => good));
    const number = piece.good[0].reduce((sum, good) => sum + good, 0);
    if (!present.length || number < cube.min_points) {
      throw new Error(
        `no light curve at an aperture of ${aperture.label}: ${present.length} of `
        + `${choice.rows.length} comparison stars are well measured in any frame, the target in `
        + `${number} of ${piece.radius.length}, and a curve needs ${cube.min_points}`);
    }
    const measured = (values) => present.map((k) =>
      values[k + 1].map((v, i) => (piece.good[k + 1][i] ? v : NaN)));
    return {
      piece, rows: present.map((k) => cube.rows[places[k]]),
      flux: measured(piece.flux), fluxErr: measured(piece.fluxErr),
    };
  };

  /** Flags of the target's points, (n,), and the curve they belong to. */
  const formCurve = (cube, choice, files) => {
    const aperture = cube.apertures[choice.aperture];
    const weighting = cube.weightings.find(({ name }) => name === choice.weighting);
    const { piece, rows, flux: stars, fluxErr } = takeStars(cube, aperture, choice);
    const columns = columnsOf(cube.baseline);
    const joined = ensemble.build(stars, fluxErr, weighting, columns);
    const ratio = piece.flux[0].map((f, i) => f / joined.transparency[i]);
    const level = levelOf(ratio, piece.good[0], cube.outside), flux = ratio.map((v) => v / level);
    const error = flux.map((f, i) => Math.abs(f) * Math.hypot(
      piece.fluxErr[0][i] / piece.flux[0][i], joined.flux_err[i] / joined.flux[i]));
    const cloud = ensemble.markClouds(joined, cube.airmass.values);
    const wild = outliers.mark(cube.jd_utc.values, flux, error);
    const excluded = new Set(choice.excluded), { bits } = cube;
    const flags = piece.flags[0].map((flag, i) => flag
      | (Number.isFinite(joined.transparency[i]) ? 0 : bits.NO_COMPARISON)
      | (cloud[i] ? bits.CLOUD : 0)
      | (wild[i] || excluded.has(files[i]) ? bits.OUTLIER : 0)
      | (Number.isFinite(piece.flux[0][i]) ? 0 : bits.NOT_MEASURED));
    return {
      rows, weights: joined.weights, star_scatter: joined.scatter, radius: piece.radius,
      transparency: joined.transparency, flux, flux_err: error, flags,
    };
  };

  const columnsOf = ({ shape: [k, n], values }) =>
    Array.from({ length: k }, (_, j) => values.subarray(j * n, (j + 1) * n));

  /** Values of the covariates that a choice names, (n,) each. */
  const covariatesOf = (cube, choice, transparency) => choice.covariates.map((name) => {
    const found = cube.covariates.find((covariate) => covariate.name === name);
    if (!found) return null;
    if (found.values === null) return { name, values: transparency };
    const { shape, values } = found.values;
    return { name, values: shape.length > 1 ? columnsOf(found.values)[choice.aperture] : values };
  }).filter((covariate) => covariate !== null);

  /**
   * Work out the curve of a choice and fit it.
   * @param {Object} data of the page: its `cube` and `frames.file`
   * @param {{rows: number[], aperture: number, weighting: string, covariates: string[],
   *   excluded: string[]}} choice as `core/data/curves.py::Choice`
   * @returns {Object} rows and weights of the stars taken, flux, flux_err, flags, used, trend,
   *   detrended, model, residual (n,), fine {time, flux} or null, scatter, chi2, bic, n_points,
   *   mid_time, mid_time_err, rp_over_rs, rp_over_rs_err and depth (null without a transit)
   * @throws {Error} in words, where the choice gives no curve
   */
  const recompute = (data, choice) => {
    const { cube } = data, curve = formCurve(cube, choice, data.frames.file);
    const time = cube.time.values;
    const used = Uint8Array.from(curve.flags, (flag, i) => !(flag & cube.no_point)
      && Number.isFinite(time[i]) && Number.isFinite(curve.flux[i]) && curve.flux_err[i] > 0);
    const fit = quick.fit(
      { time, ...curve }, used, covariatesOf(cube, choice, curve.transparency), cube.transit,
      cube.apertures[choice.aperture].share);
    return { ...curve, used, ...fit };
  };

  return { recompute };
})();

app.engine = engine;
