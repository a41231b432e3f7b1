// Medians, and least squares of a few columns, as numpy has them: NaN are left out.
// A matrix is an array of its columns, each a Float64Array.

const linalg = (() => {
  const MAD_TO_SIGMA = 1.482602218505602;

  /** Move the k-th smallest of the first `n` values to place k, none larger before it. */
  const select = (values, n, k) => {
    let low = 0, high = n - 1;
    while (low < high) {
      const pivot = values[(low + high) >> 1];
      let i = low, j = high;
      while (i <= j) {
        while (values[i] < pivot) i++;
        while (values[j] > pivot) j--;
        if (i <= j) {
          const kept = values[i];
          values[i++] = values[j];
          values[j--] = kept;
        }
      }
      if (k <= j) high = j;
      else if (k >= i) low = i;
      else break;
    }
    return values[k];
  };

  let scratch = new Float64Array(1024);

  /** Median of the first `count` of the scratch values, which it sorts in part. */
  const medianOfScratch = (count) => {
    if (!count) return NaN;
    const upper = select(scratch, count, count >> 1);
    if (count % 2) return upper;
    let lower = -Infinity;
    for (let i = 0; i < count >> 1; i++) if (scratch[i] > lower) lower = scratch[i];
    return (lower + upper) / 2;
  };

  /** Median of values, NaN left out; NaN where no value is a number. */
  const median = (values) => {
    if (scratch.length < values.length) scratch = new Float64Array(2 * values.length);
    let count = 0;
    for (let i = 0; i < values.length; i++) {
      if (values[i] === values[i]) scratch[count++] = values[i];
    }
    return medianOfScratch(count);
  };

  /** 1.4826 times the median distance from the median, or from `about`. */
  const robustScatter = (values, about = median(values)) => {
    if (scratch.length < values.length) scratch = new Float64Array(2 * values.length);
    let count = 0;
    for (let i = 0; i < values.length; i++) {
      const off = Math.abs(values[i] - about);
      if (off === off) scratch[count++] = off;
    }
    return MAD_TO_SIGMA * medianOfScratch(count);
  };

  /** Values `of(i)` for i below n. */
  const fill = (n, of) => {
    const values = new Float64Array(n);
    for (let i = 0; i < n; i++) values[i] = of(i);
    return values;
  };

  const sumOf = (n, of) => {
    let total = 0;
    for (let i = 0; i < n; i++) total += of(i);
    return total;
  };

  const dot = (a, b) => sumOf(a.length, (i) => a[i] * b[i]);
  const norm = (a) => Math.sqrt(dot(a, a));
  const meanOf = (values) => sumOf(values.length, (i) => values[i]) / values.length;

  /** Standard deviation of finite values. */
  const deviation = (values) => {
    const mean = meanOf(values);
    return Math.sqrt(sumOf(values.length, (i) => (values[i] - mean) ** 2) / values.length);
  };

  /** NaN as 0. */
  const orZero = (value) => (value === value ? value : 0);
  /** The larger; of a number and NaN the number. */
  const larger = (a, b) => (a >= b || b !== b ? a : b);

  const times = (columns, coefficients, i) => {
    let total = 0;
    for (let j = 0; j < columns.length; j++) total += columns[j][i] * coefficients[j];
    return total;
  };

  /**
   * Least squares of the smallest norm by one-sided Jacobi rotations, for columns of any rank.
   * @param {Float64Array[]} columns k of n values
   * @param {Float64Array} values n
   * @returns {{coefficients: Float64Array, variance: Float64Array}} k each; the variance is the
   *   diagonal of the pseudo-inverse of the normal matrix
   */
  const leastSquares = (columns, values) => {
    const k = columns.length, n = values.length;
    const u = columns.map((column) => Float64Array.from(column));
    const v = u.map((_, j) => Float64Array.from({ length: k }, (_, i) => (i === j ? 1 : 0)));
    for (let sweep = 0, turned = true; turned && sweep < 40; sweep++) {
      turned = false;
      for (let p = 0; p < k; p++) {
        for (let q = p + 1; q < k; q++) {
          const a = dot(u[p], u[p]), b = dot(u[q], u[q]), c = dot(u[p], u[q]);
          if (Math.abs(c) <= 1e-15 * Math.sqrt(a * b)) continue;
          turned = true;
          const zeta = (b - a) / (2 * c);
          const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
          const cosine = 1 / Math.sqrt(1 + t * t), sine = cosine * t;
          for (const [x, y] of [[u[p], u[q]], [v[p], v[q]]]) {
            for (let i = 0; i < x.length; i++) {
              const kept = x[i];
              x[i] = cosine * kept - sine * y[i];
              y[i] = sine * kept + cosine * y[i];
            }
          }
        }
      }
    }
    const size = u.map(norm), largest = Math.max(...size);
    const coefficients = new Float64Array(k), variance = new Float64Array(k);
    for (let j = 0; j < k; j++) {
      const least = 2.220446049250313e-16 * Math.max(n, k) * largest;
      const along = size[j] > least ? dot(u[j], values) / size[j] ** 2 : 0;
      const inverse = size[j] ** 2 > 1e-15 * largest ** 2 ? 1 / size[j] ** 2 : 0;
      for (let i = 0; i < k; i++) {
        coefficients[i] += v[j][i] * along;
        variance[i] += v[j][i] ** 2 * inverse;
      }
    }
    return { coefficients, variance };
  };

  /**
   * Householder's QR of columns of full rank, which it overwrites.
   * @returns {{r: Float64Array[], project: function}} r[j][i] the upper triangle by columns;
   *   `project(values)` overwrites values, (n,), by Q^T times them
   */
  const factorise = (columns) => {
    const k = columns.length, n = columns[0].length;
    const heads = new Float64Array(k), squares = new Float64Array(k);
    const reflect = (j, values) => {
      const column = columns[j];
      let along = heads[j] * values[j];
      for (let i = j + 1; i < n; i++) along += column[i] * values[i];
      if (along === 0) return;
      const factor = (2 * along) / squares[j];
      values[j] -= factor * heads[j];
      for (let i = j + 1; i < n; i++) values[i] -= factor * column[i];
    };
    for (let j = 0; j < k; j++) {
      const column = columns[j];
      const length = Math.sqrt(sumOf(n - j, (i) => column[i + j] ** 2));
      const signed = column[j] > 0 ? -length : length;
      heads[j] = column[j] - signed;
      squares[j] = 2 * length * (length + Math.abs(column[j]));
      for (let later = j + 1; later < k; later++) reflect(j, columns[later]);
      column[j] = signed;
    }
    return { r: columns, project: (values) => { for (let j = 0; j < k; j++) reflect(j, values); } };
  };

  /** Solve R x = y for x, (k,), from the first k of y. */
  const backSolve = (r, y) => {
    const x = new Float64Array(r.length);
    for (let j = r.length - 1; j >= 0; j--) {
      let left = y[j];
      for (let i = j + 1; i < r.length; i++) left -= r[i][j] * x[i];
      x[j] = left / r[j][j];
    }
    return x;
  };

  return {
    MAD_TO_SIGMA, backSolve, deviation, dot, factorise, fill, larger, leastSquares, meanOf, median,
    norm, orZero, robustScatter, sumOf, times,
  };
})();
