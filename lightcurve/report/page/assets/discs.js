// The light that a planet takes from its star: the twin of `transit/discs.py`, where the
// mathematics is told, and of `projected_distance` in `transit/orbit.py`.

const discs = (() => {
  const APART = 1e-9;

  /**
   * Bulirsch's complete elliptic integral over
   * (a cos^2 + b sin^2) / (cos^2 + p sin^2) / sqrt(cos^2 + kc^2 sin^2), p > 0.
   */
  const complete = (kc, p, a, b) => {
    p = Math.sqrt(p);
    b /= p;
    let e = kc, em = 1, qc = kc;
    for (let round = 0; round < 40; round++) {
      const f = a, half = e / p, g = em;
      a += b / p;
      b = 2 * (b + f * half);
      p += half;
      em += qc;
      if (Math.abs(g - qc) <= 1e-8 * g) break;
      qc = 2 * Math.sqrt(e);
      e = qc * em;
    }
    return (Math.PI / 2) * (b + a * em) / (em * (em + p));
  };

  /**
   * Light lost, over the star's, by a planet of radius `rp` at distance `z`, both in stellar radii.
   * @param {number[]} out filled with the loss, and it by rp and by z
   */
  const occult = (z, rp, u1, u2, out) => {
    if (!(z < 1 + rp) || z <= rp - 1) {
      out[0] = z <= rp - 1 ? 1 : 0;
      out[1] = out[2] = 0;
      return;
    }
    if (Math.abs(z - rp) < APART) z = rp + APART;
    const c0 = 1 - u1 - u2, c1 = u1 + 2 * u2, c2 = -u2;
    const inside = z <= 1 - rp, product = z * rp, apart = z - rp, chord = 1 - apart * apart;
    // c0 + c2 mu^2 behind the planet: arcs and sines.
    const far = Math.max(z, APART), clipped = (x) => Math.min(1, Math.max(-1, x));
    const arc = Math.acos(clipped((z * z + rp * rp - 1) / (2 * far * rp)));
    const behind = inside ? 0 : Math.acos(clipped((1 + z * z - rp * rp) / (2 * far)));
    const sine = Math.sin(arc), twice = Math.sin(2 * arc) / 2;
    const level = 2 - z * z - rp * rp, swing = 2 * product;
    const ofOne = rp * rp * arc - product * sine;
    const ofCosine = rp * rp * sine - product * (arc + twice) / 2;
    const even = c0 * (ofOne + behind) + (c2 / 2) * (level * ofOne + swing * ofCosine + behind);
    const evenByRp = 2 * rp * (c0 * arc + c2 * ((level - 1) * arc + swing * sine));
    const evenByZ = -2 * rp * (c0 * sine + c2 * ((level - 1) * sine + swing * (arc + twice) / 2));
    // mu behind the planet: elliptic integrals; k2 is below 1 where the limbs cross.
    const k2 = chord / (4 * product), m = inside ? (4 * product) / chord : k2;
    const kc = Math.sqrt(Math.max(1 - m, 1e-30)), root = Math.sqrt(inside ? chord : product);
    const b = complete(kc, 1, 1, 0), s = complete(kc, 1, 0, 1), e = b + kc * kc * s;
    const p = inside ? ((z + rp) / apart) ** 2 : 1 / apart ** 2;
    const third = complete(kc, p, 1, inside ? kc * kc : 0) / apart ** 2;
    let mu, mu3, muCosine, overR2;
    if (inside) {
      mu = 2 * root * e;
      mu3 = 2 * root ** 3 * (e - m * (2 * kc * kc * s + b) / 3);
      muCosine = 2 * root * (b - kc * kc * s) / 3;
      overR2 = 2 * root * third;
    } else {
      const c4 = ((3 * m - 1) * b + kc * kc * s) / (3 * m + 1e-300);
      mu = 4 * root * k2 * b;
      mu3 = 16 * root ** 3 * k2 * k2 * c4;
      muCosine = 4 * root * k2 * (b - 2 * k2 * (b - c4));
      overR2 = 4 * root * k2 * third;
    }
    const odd = ((apart < 0 ? 2 * Math.PI : 0) - mu3 - (rp * rp - z * z) * (overR2 - mu)) / 3;
    const total = Math.PI * (c0 + (2 / 3) * c1 + c2 / 2);
    out[0] = (even + c1 * odd) / total;
    out[1] = (evenByRp + c1 * 2 * rp * mu) / total;
    out[2] = (evenByZ - c1 * 2 * rp * muCosine) / total;
  };

  /**
   * Make the function from days since mid-transit to the distance on the sky and its change by time
   * (stellar radii, and a day), put into `out`; infinite where the planet is behind the star.
   * @param {Object} shape of the orbit, `Shape` of `transit/quick.py`
   */
  const orbit = (shape) => {
    const e = shape.eccentricity, omega = shape.omega_deg * Math.PI / 180;
    const motion = 2 * Math.PI / shape.period_days, root = Math.sqrt(1 - e * e);
    const half = Math.sqrt((1 - e) / (1 + e)) * Math.tan((Math.PI / 2 - omega) / 2);
    const first = 2 * Math.atan(half), start = first - e * Math.sin(first);
    const cosine = Math.cos(omega), sine = Math.sin(omega);
    const tilt2 = Math.cos(shape.inclination_deg * Math.PI / 180) ** 2;
    return (since, out) => {
      const mean = motion * since + start;
      let anomaly = mean + e * Math.sin(mean);
      for (let round = 0; e && round < 12; round++) {
        anomaly -= (anomaly - e * Math.sin(anomaly) - mean) / (1 - e * Math.cos(anomaly));
      }
      const c = Math.cos(anomaly), s = Math.sin(anomaly), pace = motion / (1 - e * c);
      const along = c - e, across = root * s, vAlong = -s * pace, vAcross = root * c * pace;
      const x = along * cosine - across * sine, y = along * sine + across * cosine;
      const vx = vAlong * cosine - vAcross * sine, vy = vAlong * sine + vAcross * cosine;
      const z = Math.sqrt(x * x + y * y * tilt2);
      out[0] = y > 0 ? shape.a_over_rs * z : Infinity;
      out[1] = shape.a_over_rs * (x * vx + y * vy * tilt2) / Math.max(z, 1e-15);
    };
  };

  /**
   * Transit at times, averaged over the exposure.
   * @param {number} share of the light that is the target's
   * @param {Float64Array} since days from the predicted mid-time, (n,)
   * @param {number} mid days from the predicted one
   * @returns {Float64Array[]} flux, and it by mid and by rp, (n,) each
   */
  const transitLight = (shape, share, since, mid, rp) => {
    const n = since.length, parts = shape.supersample, place = orbit(shape);
    const flux = new Float64Array(n), byMid = new Float64Array(n), byRp = new Float64Array(n);
    const at = [0, 0], lost = [0, 0, 0];
    for (let i = 0; i < n; i++) {
      let loss = 0, mids = 0, rps = 0;
      for (let j = 0; j < parts; j++) {
        place(since[i] - mid + shape.exposure_days * ((j + 0.5) / parts - 0.5), at);
        if (at[0] >= 1 + rp) continue;
        occult(at[0], rp, shape.u1, shape.u2, lost);
        loss += lost[0];
        rps += lost[1];
        mids -= lost[2] * at[1];
      }
      flux[i] = 1 - share * loss / parts;
      byMid[i] = -share * mids / parts;
      byRp[i] = -share * rps / parts;
    }
    return [flux, byMid, byRp];
  };

  return { occult, transitLight };
})();
