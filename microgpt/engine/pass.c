/* A decoding pass in C, called by compiled.py, in the same precision as the other backends.
 *
 * A pass processes rows; a row is one token of one text. Weights are read once for all rows. They
 * are converted from float16 inside the products, and all arithmetic is float32. The order of every
 * sum is the same for any number of rows and threads. All sizes are multiples of LANES.
 *
 * A pass is a sequence of phases, and a phase is a number of independent chunks. Threads claim
 * chunks one by one, and the thread that completes the last chunk of a phase starts the next phase.
 * So a thread that loses its core to another program delays the others by one chunk at most.
 */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LANES 8
typedef float lanes
    __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

#if defined(__AVX__)
#include <immintrin.h>
#endif

#if HALF && defined(__F16C__)
typedef unsigned short weight;
static inline lanes widen(const weight *w) {
    return (lanes)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)w));
}
#else
#if HALF
typedef _Float16 weight;
#else
typedef float weight;
#endif
static inline lanes widen(const weight *w) {
    lanes wide;
    for (int i = 0; i < LANES; i++) wide[i] = (float)w[i];
    return wide;
}
#endif

#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")
#define LINE (64 / (int)sizeof(weight)) /* weights per cache line of the CPU */

static inline lanes load(const float *x) { return *(const lanes *)x; }
static inline void store(float *x, lanes value) { *(lanes *)x = value; }
static inline float sum(lanes v) {
    return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
}

/* out = the sums of four vectors, each in the order of `sum`. */
static inline void sum_four(float *out, const lanes v[4]) {
#if defined(__AVX__)
    const __m256 first = _mm256_hadd_ps((__m256)v[0], (__m256)v[1]);
    const __m256 halves = _mm256_hadd_ps(first, _mm256_hadd_ps((__m256)v[2], (__m256)v[3]));
    _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(halves),
                                  _mm256_extractf128_ps(halves, 1)));
#else
    for (int i = 0; i < 4; i++) out[i] = sum(v[i]);
#endif
}

enum activation { RELU, GELU, GELU_TANH };

/* scale: multiplies the scores of the attention. */
struct shape {
    int window, layers, heads, channels, hidden, vocabulary, activation;
    float scale;
};

/* keys, values (layers, heads, window, channels / heads) of the row's text; logits (vocabulary), or
 * NULL if they are not needed. */
struct row {
    float *keys, *values, *logits;
    int32_t token, position;
};

/* scratch: count x (6 channels + hidden). active: count x (hidden + 1). */
struct pass {
    const struct shape *shape;
    const weight *weights;
    const struct row *rows;
    float *scratch;
    int32_t *active;
    int count;
};

/* ---- Arithmetic ------------------------------------------------------------------------------- */

struct range {
    int from, to;
};

/* The sizes of a tile of a product: rows of the matrix, and rows of the pass. The sums of a tile
 * stay in registers. */
#define HIGH 4
#if defined(__AVX512VL__) /* 32 vector registers */
#define WIDE 6
#else
#define WIDE 3
#endif
/* Inputs of this many rows stay in the first-level cache of the CPU. */
#define GROUP 12
/* Columns of a product with rows that are selected; their sums stay in registers. */
#define COLUMNS 96
/* Such rows are prefetched this many rows ahead. */
#define AHEAD 4

/* y (wide) += x (wide, columns) w^T for HIGH rows of w. If `prefetch`, the next HIGH rows of w are
 * prefetched, because they are too short for the CPU's own prefetcher. */
INLINE void add_tile(float *y, int stride, const weight *w, const float *x, int columns,
                     int prefetch, const int wide) {
    lanes total[WIDE][HIGH] = {0};
    for (int i = 0; i < columns; i += LANES) {
        if (prefetch && i % LINE == 0)
            for (int next = HIGH; next < 2 * HIGH; next++)
                __builtin_prefetch(w + next * columns + i);
        lanes a[HIGH];
        UNROLL for (int r = 0; r < HIGH; r++) a[r] = widen(w + r * columns + i);
        UNROLL for (int t = 0; t < wide; t++) {
            const lanes v = load(x + t * columns + i);
            UNROLL for (int r = 0; r < HIGH; r++) total[t][r] += a[r] * v;
        }
    }
    UNROLL for (int t = 0; t < wide; t++) {
        float sums[HIGH];
        sum_four(sums, total[t]);
        for (int r = 0; r < HIGH; r++) y[t * stride + r] += sums[r];
    }
}

/* y (count, stride) += x (count, columns) w^T, for a part of the rows of w (stride, columns). */
static void add_product(float *y, int stride, const weight *w, const float *x, int columns,
                        int count, struct range part) {
    for (int first = 0; first < count; first += GROUP) {
        const int last = first + GROUP < count ? first + GROUP : count;
        for (int row = part.from; row < part.to; row += HIGH) {
            const weight *a = w + (long)row * columns;
            for (int t = first; t < last; t += WIDE) {
                float *out = y + (long)t * stride + row;
                const float *in = x + (long)t * columns;
                switch (last - t) {
                    case 1: add_tile(out, stride, a, in, columns, t == 0, 1); break;
                    case 2: add_tile(out, stride, a, in, columns, t == 0, 2); break;
#if WIDE > 3
                    case 3: add_tile(out, stride, a, in, columns, t == 0, 3); break;
                    case 4: add_tile(out, stride, a, in, columns, t == 0, 4); break;
                    case 5: add_tile(out, stride, a, in, columns, t == 0, 5); break;
#endif
                    default: add_tile(out, stride, a, in, columns, t == 0, WIDE);
                }
            }
        }
    }
}

/* Write the indices of the positive elements of x (n) to `active`, and return their number. */
static int select_positive(int *active, const float *x, int n) {
    int count = 0;
    for (int i = 0; i < n; i++) {
        active[count] = i;
        count += x[i] > 0;
    }
    return count;
}

/* y (vectors) += the rows of w with the indices `active`, each times its x. */
INLINE void add_rows(float *y, const float *x, const weight *w, const int *active, int count,
                     int columns, const int vectors) {
    lanes total[vectors];
    UNROLL for (int i = 0; i < vectors; i++) total[i] = load(y + i * LANES);
    for (int n = 0; n < count; n++) {
        const weight *row = w + (long)active[n] * columns;
        const weight *later = w + (long)active[n + AHEAD < count ? n + AHEAD : n] * columns;
        for (int i = 0; i < vectors * LANES; i += LINE) __builtin_prefetch(later + i);
        const float factor = x[active[n]];
        UNROLL for (int i = 0; i < vectors; i++) total[i] += factor * widen(row + i * LANES);
    }
    UNROLL for (int i = 0; i < vectors; i++) store(y + i * LANES, total[i]);
}

/* y += ReLU(x) w for a part of the columns of w (rows, columns). Only the rows whose x is positive
 * are read, about one in six (Mirzadeh et al., 2023, ReLU Strikes Back). */
static void add_relu_product(float *y, const float *x, const weight *w, const int *active,
                             int count, int columns, struct range part) {
    int at = part.from;
    for (; at + COLUMNS <= part.to; at += COLUMNS)
        add_rows(y + at, x, w + at, active, count, columns, COLUMNS / LANES);
    for (; at < part.to; at += LANES) add_rows(y + at, x, w + at, active, count, columns, 1);
}

/* x = GELU(x) for a part of x: x times the normal distribution function at x (Hendrycks and Gimpel,
 * 2016), or the approximation of it with tanh. */
static void apply_gelu(float *x, int activation, struct range part) {
    for (int i = part.from; i < part.to; i++) {
        const float v = x[i];
        const float inner = activation == GELU ? erff(v * 0.70710678f)
                                               : tanhf(0.79788456f * (v + 0.044715f * v * v * v));
        x[i] = 0.5f * v * (1 + inner);
    }
}

static void set(float *x, const weight *w, struct range part) {
    for (int i = part.from; i < part.to; i += LANES) store(x + i, widen(w + i));
}

static void add(float *x, const weight *w, struct range part) {
    for (int i = part.from; i < part.to; i += LANES) store(x + i, load(x + i) + widen(w + i));
}

static void layer_norm(float *y, const float *x, const weight *gain, const weight *bias, int n) {
    lanes total = {0}, squares = {0};
    for (int i = 0; i < n; i += LANES) total += load(x + i);
    const float mean = sum(total) / n;
    for (int i = 0; i < n; i += LANES) {
        const lanes centred = load(x + i) - mean;
        squares += centred * centred;
    }
    const float scale = 1 / sqrtf(sum(squares) / n + 1e-5f);
    for (int i = 0; i < n; i += LANES)
        store(y + i, (load(x + i) - mean) * scale * widen(gain + i) + widen(bias + i));
}

/* Attention of a query (size) of one head over keys and values (count, size), four at a time. If
 * fewer than four are left, the first of them is repeated in place of the others, with weight 0. */
static void attend(float *y, const float *query, const float *keys, const float *values, int count,
                   int size, float scale) {
    float scores[count], max = -INFINITY, total = 0;
    for (int t = 0; t < count; t += 4) {
        const int left = count - t;
        const float *a = keys + (long)t * size, *b = left > 1 ? a + size : a;
        const float *c = left > 2 ? a + 2 * size : a, *d = left > 3 ? a + 3 * size : a;
        lanes found[4] = {0};
        for (int i = 0; i < size; i += LANES) {
            const lanes v = load(query + i);
            found[0] += load(a + i) * v;
            found[1] += load(b + i) * v;
            found[2] += load(c + i) * v;
            found[3] += load(d + i) * v;
        }
        float sums[4];
        sum_four(sums, found);
        for (int i = 0; i < 4 && i < left; i++) {
            scores[t + i] = sums[i] * scale;
            if (scores[t + i] > max) max = scores[t + i];
        }
    }
    memset(y, 0, size * sizeof(float));
    for (int t = 0; t < count; t += 4) {
        const int left = count - t;
        const float *a = values + (long)t * size, *b = left > 1 ? a + size : a;
        const float *c = left > 2 ? a + 2 * size : a, *d = left > 3 ? a + 3 * size : a;
        float e[4] = {0};
        for (int i = 0; i < 4 && i < left; i++) total += e[i] = expf(scores[t + i] - max);
        for (int i = 0; i < size; i += LANES)
            store(y + i, load(y + i) + e[0] * load(a + i) + e[1] * load(b + i) +
                             e[2] * load(c + i) + e[3] * load(d + i));
    }
    for (int i = 0; i < size; i += LANES) store(y + i, load(y + i) / total);
}

/* ---- The phases of a pass --------------------------------------------------------------------- */

/* The phases of a layer; the last two phases of a pass repeat NORM_1 and end with the head. */
enum { NORM_1, QKV, ATTEND, PROJECT, NORM_2, UP, SELECT, DOWN, PER_LAYER };
#define ROWS 32 /* rows of a matrix in a chunk */

static int phase_count(const struct shape *shape) { return 1 + PER_LAYER * shape->layers + 2; }

static int pieces(int count, int size) { return (count + size - 1) / size; }

static struct range piece(int chunk, int size, int count) {
    const int from = chunk * size;
    return (struct range){from, from + size < count ? from + size : count};
}

/* The number of chunks of a phase. */
static int chunk_count(const struct pass *pass, int phase) {
    const struct shape *shape = pass->shape;
    if (phase == phase_count(shape) - 1) return pieces(shape->vocabulary, ROWS);
    if (phase == 0) return pass->count;
    switch ((phase - 1) % PER_LAYER) {
        case QKV: return pieces(3 * shape->channels, ROWS);
        case ATTEND: return pass->count * shape->heads;
        case PROJECT: return pieces(shape->channels, ROWS);
        case UP: return pieces(shape->hidden, ROWS);
        case DOWN: return pieces(shape->channels, COLUMNS);
        default: return pass->count; /* one for each row */
    }
}

static void run_chunk(const struct pass *pass, int phase, int chunk) {
    const struct shape *shape = pass->shape;
    const long channels = shape->channels, hidden = shape->hidden, count = pass->count;
    const int heads = shape->heads, size = channels / heads, window = shape->window;
    const struct row *rows = pass->rows;
    float *x = pass->scratch, *normed = x + count * channels;
    float *qkv = normed + count * channels, *attended = qkv + 3 * count * channels;
    float *up = attended + count * channels;
    int *active = pass->active, *active_counts = active + count * hidden;

    const weight *tokens = pass->weights, *positions = tokens + shape->vocabulary * channels;
    const weight *first_layer = positions + window * channels;
    const long layer_weights = (4 * channels + 2 * hidden) * channels + 9 * channels + hidden;
    const int layer = (phase - 1) / PER_LAYER;
    const weight *w = first_layer + layer * layer_weights; /* in the order of the state_dict */
    const weight *norm_1 = w, *w_qkv = norm_1 + 2 * channels;
    const weight *w_proj = w_qkv + 3 * channels * channels + 3 * channels;
    const weight *norm_2 = w_proj + channels * channels + channels;
    const weight *w_up = norm_2 + 2 * channels;
    const weight *w_down = w_up + hidden * channels + hidden;

    if (phase == 0) {
        const struct range all = {0, channels};
        set(x + chunk * channels, tokens + rows[chunk].token * channels, all);
        add(x + chunk * channels, positions + rows[chunk].position * channels, all);
        return;
    }
    if (phase == phase_count(shape) - 1) {
        const weight *w_head = first_layer + shape->layers * layer_weights + 2 * channels;
        const weight *bias = w_head + shape->vocabulary * channels;
        const struct range part = piece(chunk, ROWS, shape->vocabulary);
        for (int t = 0; t < count; t++) {
            if (!rows[t].logits) continue;
            set(rows[t].logits, bias, part);
            add_product(rows[t].logits, 0, w_head, normed + t * channels, channels, 1, part);
        }
        return;
    }
    switch ((phase - 1) % PER_LAYER) {
        case NORM_1: /* also the last one, whose gain and bias follow those of the layers */
            layer_norm(normed + chunk * channels, x + chunk * channels, norm_1, norm_1 + channels,
                       channels);
            break;
        case QKV: {
            const struct range part = piece(chunk, ROWS, 3 * channels);
            for (int t = 0; t < count; t++)
                set(qkv + 3 * t * channels, w_qkv + 3 * channels * channels, part);
            add_product(qkv, 3 * channels, w_qkv, normed, channels, count, part);
            for (int i = part.from; i < part.to; i += LANES) {
                if (i < channels) continue; /* a query */
                const int at = (i - channels) % channels, head = at / size;
                for (int t = 0; t < count; t++) {
                    float *cached = i < 2 * channels ? rows[t].keys : rows[t].values;
                    cached += (((long)layer * heads + head) * window + rows[t].position) * size;
                    store(cached + at % size, load(qkv + 3 * t * channels + i));
                }
            }
            break;
        }
        case ATTEND: {
            const int t = chunk / heads, head = chunk % heads;
            const long cached = ((long)layer * heads + head) * window * size;
            attend(attended + t * channels + head * size, qkv + 3 * t * channels + head * size,
                   rows[t].keys + cached, rows[t].values + cached, rows[t].position + 1, size,
                   shape->scale);
            break;
        }
        case PROJECT: {
            const struct range part = piece(chunk, ROWS, channels);
            add_product(x, channels, w_proj, attended, channels, count, part);
            for (int t = 0; t < count; t++)
                add(x + t * channels, w_proj + channels * channels, part);
            break;
        }
        case NORM_2:
            layer_norm(normed + chunk * channels, x + chunk * channels, norm_2, norm_2 + channels,
                       channels);
            break;
        case UP: {
            const struct range part = piece(chunk, ROWS, hidden);
            for (int t = 0; t < count; t++) set(up + t * hidden, w_up + hidden * channels, part);
            add_product(up, hidden, w_up, normed, channels, count, part);
            if (shape->activation != RELU)
                for (int t = 0; t < count; t++)
                    apply_gelu(up + t * hidden, shape->activation, part);
            break;
        }
        case SELECT: /* a GELU has no zeros */
            if (shape->activation != RELU) break;
            active_counts[chunk] =
                select_positive(active + chunk * hidden, up + chunk * hidden, hidden);
            break;
        case DOWN: {
            const struct range part = piece(chunk, COLUMNS, channels);
            if (shape->activation != RELU)
                add_product(x, channels, w_down, up, hidden, count, part);
            for (int t = 0; t < count; t++) {
                if (shape->activation == RELU)
                    add_relu_product(x + t * channels, up + t * hidden, w_down, active + t * hidden,
                                     active_counts[t], channels, part);
                add(x + t * channels, w_down + hidden * channels, part);
            }
            break;
        }
    }
}

/* ---- Threads ---------------------------------------------------------------------------------- */

/* The next chunk to claim, in one word, so that one atomic operation can read or change it: the
 * number of the pass, the phase, the chunk and the number of chunks of the phase, which is 0 when
 * the pass is over. */
typedef uint64_t ticket;
#define TICKET(pass, phase, next, chunks) \
    ((uint64_t)(pass) << 44 | (uint64_t)(phase) << 32 | (uint64_t)(next) << 16 | (uint64_t)(chunks))
#define PHASE(ticket) ((int)(ticket >> 32 & 0xfff))
#define NEXT(ticket) ((int)(ticket >> 16 & 0xffff))
#define CHUNKS(ticket) ((int)(ticket & 0xffff))

struct team {
    struct pass pass;
    _Atomic ticket ticket;
    atomic_int completed; /* number of chunks of the phase that are computed */
    unsigned passes;
    pthread_mutex_t lock;
    pthread_cond_t started;
};

/* Wait for another thread, which takes microseconds unless that thread has lost its core. */
static void wait_briefly(int spins) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
    if (spins > 2000) sched_yield();
}

/* Claim a chunk and compute it. Return 0 if all chunks of the phase are claimed. */
static int work(struct team *team) {
    ticket seen = atomic_load(&team->ticket);
    const int phase = PHASE(seen), chunks = CHUNKS(seen);
    if (NEXT(seen) == chunks) return 0;
    if (!atomic_compare_exchange_strong(&team->ticket, &seen, seen + TICKET(0, 0, 1, 0))) return 1;
    run_chunk(&team->pass, phase, NEXT(seen));
    if (atomic_fetch_add(&team->completed, 1) + 1 < chunks) return 1;
    const int over = phase + 1 == phase_count(team->pass.shape);
    atomic_store(&team->completed, 0);
    atomic_store(&team->ticket, TICKET(team->passes, phase + 1, 0,
                                       over ? 0 : chunk_count(&team->pass, phase + 1)));
    return 1;
}

/* Work until the pass is over. */
static void work_on_pass(struct team *team) {
    for (int spins = 0; CHUNKS(atomic_load(&team->ticket)); spins++)
        if (work(team))
            spins = 0;
        else
            wait_briefly(spins);
}

/* The loop of a thread: spin for a short time until the next pass, then sleep until there is one. */
static void *thread_loop(void *argument) {
    struct team *team = argument;
    for (;;) {
        for (int spins = 0; spins < 20000 && !CHUNKS(atomic_load(&team->ticket)); spins++)
            wait_briefly(0);
        pthread_mutex_lock(&team->lock);
        while (!CHUNKS(atomic_load(&team->ticket))) pthread_cond_wait(&team->started, &team->lock);
        pthread_mutex_unlock(&team->lock);
        work_on_pass(team);
    }
    return NULL;
}

/* Make a team of `size` threads, of which one is the caller of run_pass. A team is never freed.
 * Return NULL on failure. */
struct team *new_team(int size) {
    struct team *team = calloc(1, sizeof *team);
    if (!team) return NULL;
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->started, NULL);
    for (int i = 1; i < size; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, thread_loop, team)) return NULL;
        pthread_detach(thread);
    }
    return team;
}

/* Run a pass on a team that has no other pass. If team is NULL, run it on the caller's thread. */
void run_pass(struct team *team, const struct pass *pass) {
    struct team caller = {.lock = PTHREAD_MUTEX_INITIALIZER, .started = PTHREAD_COND_INITIALIZER};
    if (!team) team = &caller;
    pthread_mutex_lock(&team->lock);
    team->pass = *pass;
    team->passes++;
    atomic_store(&team->ticket, TICKET(team->passes, 0, 0, chunk_count(pass, 0)));
    pthread_cond_broadcast(&team->started);
    pthread_mutex_unlock(&team->lock);
    work_on_pass(team);
}
