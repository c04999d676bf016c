/* One decoding step in C, called by compiled.py, in the same precision as the other backends.
 *
 * Weights are converted from float16 inside the products, and all arithmetic is float32. The order
 * of every sum is the same for any number of threads. All sizes are multiples of LANES. The threads
 * of a team run the same code, each on its own rows, columns or heads. They wait for each other at
 * a barrier wherever one thread needs a result of another.
 */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LANES 8
typedef float lanes
    __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

#if HALF && defined(__F16C__)
#include <immintrin.h>
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

#define LINE (64 / (int)sizeof(weight)) /* weights per cache line of the CPU */

static inline lanes load(const float *x) { return *(const lanes *)x; }
static inline void store(float *x, lanes value) { *(lanes *)x = value; }
static inline float sum(lanes v) {
    return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
}

struct shape {
    int window, layers, heads, channels, hidden, vocabulary;
};

/* keys, values (layers, heads, window, channels / heads); scratch (5 channels + hidden + heads x
 * window + threads x channels); logits (vocabulary). */
struct job {
    const struct shape *shape;
    const weight *weights;
    float *keys, *values, *scratch, *logits;
    int token, position;
};

/* ---- Threads ---------------------------------------------------------------------------------- */

struct team {
    int size;
    struct job job;
    atomic_uint jobs;    /* number of jobs so far */
    atomic_int arrived;  /* number of threads at the barrier */
    atomic_uint phase;   /* number of times that all threads passed the barrier */
    pthread_mutex_t lock;
    pthread_cond_t new_job;
};
struct member {
    struct team *team;
    int rank;
};

static inline void cpu_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Wait until all threads of the team arrive. It takes microseconds, so threads spin, not sleep. */
static void barrier(struct team *team) {
    if (team->size == 1) return;
    const unsigned phase = atomic_load(&team->phase);
    if (atomic_fetch_add(&team->arrived, 1) + 1 == team->size) {
        atomic_store(&team->arrived, 0);
        atomic_store(&team->phase, phase + 1);
        return;
    }
    for (int spins = 0; atomic_load(&team->phase) == phase; spins++)
        spins < 2000 ? cpu_relax() : (void)sched_yield();
}

struct range {
    int from, to;
};

/* The part of `count` rows or columns that belongs to this thread. */
static struct range part_of(const struct member *member, int count) {
    const int size = member->team->size, units = count / LANES;
    return (struct range){units * member->rank / size * LANES,
                          units * (member->rank + 1) / size * LANES};
}

/* ---- Arithmetic ------------------------------------------------------------------------------- */

static const weight *take(const weight **w, long count) {
    const weight *taken = *w;
    *w += count;
    return taken;
}

static void set(float *x, const weight *w, struct range part) {
    for (int i = part.from; i < part.to; i += LANES) store(x + i, widen(w + i));
}

static void add(float *x, const weight *w, struct range part) {
    for (int i = part.from; i < part.to; i += LANES) store(x + i, load(x + i) + widen(w + i));
}

/* y += w (rows, columns) x, for a part of the rows. Four rows are computed together, so that x is
 * loaded once for the four. The next four are prefetched, because rows are too short for the CPU's
 * own prefetcher. */
static void add_product(float *y, const weight *w, const float *x, struct range rows, int columns) {
    for (int row = rows.from; row < rows.to; row += 4) {
        const weight *a = w + (long)row * columns;
        const weight *b = a + columns, *c = b + columns, *d = c + columns;
        lanes p = {0}, q = {0}, r = {0}, s = {0};
        for (int i = 0; i < columns; i += LANES) {
            const lanes v = load(x + i);
            if (i % LINE == 0)
                for (int next = 4; next < 8; next++) __builtin_prefetch(a + next * columns + i);
            p += widen(a + i) * v;
            q += widen(b + i) * v;
            r += widen(c + i) * v;
            s += widen(d + i) * v;
        }
        y[row] += sum(p);
        y[row + 1] += sum(q);
        y[row + 2] += sum(r);
        y[row + 3] += sum(s);
    }
}

static int next_positive(const float *x, int from, int count) {
    while (from < count && x[from] <= 0) from++;
    return from;
}

/* y += ReLU(x) w, w (rows, columns), for a part of the columns. The rows for which x is not
 * positive, about five in six, are never read (Mirzadeh et al., 2023, ReLU Strikes Back). */
static void add_relu_product(float *y, const float *x, const weight *w, int rows, int columns,
                             struct range part) {
    int row = next_positive(x, 0, rows);
    while (row < rows) {
        const int next = next_positive(x, row + 1, rows);
        const weight *a = w + (long)row * columns, *b = w + (long)next * columns;
        for (int i = part.from; i < part.to; i += LANES) {
            if ((i - part.from) % LINE == 0) __builtin_prefetch(b + i);
            store(y + i, load(y + i) + x[row] * widen(a + i));
        }
        row = next;
    }
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
static void attend(float *y, const float *query, const float *keys, const float *values,
                   float *scores, int count, int size) {
    const float scale = 1 / sqrtf(size);
    float max = -INFINITY, total = 0;
    for (int t = 0; t < count; t += 4) {
        const int left = count - t;
        const float *a = keys + (long)t * size, *b = left > 1 ? a + size : a;
        const float *c = left > 2 ? a + 2 * size : a, *d = left > 3 ? a + 3 * size : a;
        lanes p = {0}, q = {0}, r = {0}, s = {0};
        for (int i = 0; i < size; i += LANES) {
            const lanes v = load(query + i);
            p += load(a + i) * v;
            q += load(b + i) * v;
            r += load(c + i) * v;
            s += load(d + i) * v;
        }
        const float found[4] = {sum(p) * scale, sum(q) * scale, sum(r) * scale, sum(s) * scale};
        for (int i = 0; i < 4 && i < left; i++) {
            scores[t + i] = found[i];
            if (found[i] > max) max = found[i];
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

/* ---- The step --------------------------------------------------------------------------------- */

static void decode(const struct member *member) {
    struct team *team = member->team;
    const struct job *job = &team->job;
    const struct shape *shape = job->shape;
    const int channels = shape->channels, hidden = shape->hidden, vocabulary = shape->vocabulary;
    const int window = shape->window, position = job->position;
    const int heads = shape->heads, size = channels / heads;
    const struct range my_channels = part_of(member, channels), my_hidden = part_of(member, hidden);
    const int first_head = heads * member->rank / team->size;
    const int last_head = heads * (member->rank + 1) / team->size;
    float *x = job->scratch, *qkv = x + channels, *attended = qkv + 3 * channels;
    float *up = attended + channels, *scores = up + hidden;
    float *normed = scores + heads * window + member->rank * channels; /* each thread has its own */
    const weight *w = job->weights, *gain, *bias;

    set(x, take(&w, (long)vocabulary * channels) + (long)job->token * channels, my_channels);
    add(x, take(&w, (long)window * channels) + (long)position * channels, my_channels);
    barrier(team);
    for (int layer = 0; layer < shape->layers; layer++) {
        gain = take(&w, channels), bias = take(&w, channels);
        layer_norm(normed, x, gain, bias, channels);
        const weight *w_qkv = take(&w, 3L * channels * channels);
        for (int head = first_head; head < last_head; head++) {
            const int at = head * size;
            for (int i = 0; i < 3; i++) {
                const struct range rows = {i * channels + at, i * channels + at + size};
                memset(qkv + rows.from, 0, size * sizeof(float));
                add_product(qkv, w_qkv, normed, rows, channels);
            }
            const long first = ((long)layer * heads + head) * window * size;
            float *keys = job->keys + first, *values = job->values + first;
            memcpy(keys + position * size, qkv + channels + at, size * sizeof(float));
            memcpy(values + position * size, qkv + 2 * channels + at, size * sizeof(float));
            attend(attended + at, qkv + at, keys, values, scores + head * window, position + 1,
                   size);
        }
        barrier(team);
        add_product(x, take(&w, (long)channels * channels), attended, my_channels, channels);
        add(x, take(&w, channels), my_channels);
        barrier(team);

        gain = take(&w, channels), bias = take(&w, channels);
        layer_norm(normed, x, gain, bias, channels);
        const weight *w_up = take(&w, (long)hidden * channels);
        set(up, take(&w, hidden), my_hidden);
        add_product(up, w_up, normed, my_hidden, channels);
        barrier(team);
        const weight *w_down = take(&w, (long)hidden * channels);
        add_relu_product(x, up, w_down, hidden, channels, my_channels);
        add(x, take(&w, channels), my_channels);
        barrier(team);
    }
    gain = take(&w, channels), bias = take(&w, channels);
    layer_norm(normed, x, gain, bias, channels);
    const struct range rows = part_of(member, vocabulary);
    const weight *w_head = take(&w, (long)vocabulary * channels);
    set(job->logits, take(&w, vocabulary), rows);
    add_product(job->logits, w_head, normed, rows, channels);
    barrier(team);
}

/* The loop of a thread: spin for a short time until the next job, then sleep until there is one. */
static void *work(void *argument) {
    const struct member *member = argument;
    struct team *team = member->team;
    for (unsigned done = 0;; done++) {
        for (int spins = 0; spins < 20000 && atomic_load(&team->jobs) == done; spins++) cpu_relax();
        if (atomic_load(&team->jobs) == done) {
            pthread_mutex_lock(&team->lock);
            while (atomic_load(&team->jobs) == done) pthread_cond_wait(&team->new_job, &team->lock);
            pthread_mutex_unlock(&team->lock);
        }
        decode(member);
    }
    return NULL;
}

/* Make a team of `size` threads, of which one is the caller of step. A team is never freed. Return
 * NULL on failure. */
struct team *new_team(int size) {
    struct team *team = calloc(1, sizeof *team);
    struct member *members = calloc(size, sizeof *members);
    if (!team || !members) return NULL;
    team->size = size;
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->new_job, NULL);
    for (int rank = 1; rank < size; rank++) {
        pthread_t thread;
        members[rank] = (struct member){team, rank};
        if (pthread_create(&thread, NULL, work, &members[rank])) return NULL;
        pthread_detach(thread);
    }
    return team;
}

/* Run a job on a team that has no other job. If team is NULL, run it on the caller's thread. */
void step(struct team *team, const struct job *job) {
    struct team caller = {.size = 1};
    if (!team) team = &caller;
    team->job = *job;
    if (team->size > 1) {
        pthread_mutex_lock(&team->lock);
        atomic_fetch_add(&team->jobs, 1);
        pthread_cond_broadcast(&team->new_job);
        pthread_mutex_unlock(&team->lock);
    }
    const struct member first = {team, 0};
    decode(&first);
}
