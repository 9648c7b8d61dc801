/*
 * c11_threads.c - C11 threads made of POSIX threads, for programs that ThreadSanitizer watches
 * SPDX-License-Identifier: MIT
 *
 * Some libraries start their threads with thrd_create() and lock with mtx_lock(). ThreadSanitizer
 * (gcc 12) sees only the POSIX functions: such a thread crashes in the first thing that it
 * intercepts, and such a lock orders nothing for it. Preloaded, this puts the POSIX functions under
 * the C11 ones, as glibc does within itself; the types are the same there.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

#define SHOWN __attribute__((visibility("default")))

_Static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t), "glibc has them alike");
_Static_assert(sizeof(cnd_t) == sizeof(pthread_cond_t), "glibc has them alike");
_Static_assert(sizeof(thrd_t) == sizeof(pthread_t), "glibc has them alike");
_Static_assert(sizeof(once_flag) == sizeof(pthread_once_t), "glibc has them alike");

struct begin {
    thrd_start_t run;
    void *argument;
};

static int outcome(int error)
{
    switch (error) {
    case 0:
        return thrd_success;
    case ENOMEM:
        return thrd_nomem;
    case ETIMEDOUT:
        return thrd_timedout;
    case EBUSY:
        return thrd_busy;
    default:
        return thrd_error;
    }
}

static void *run(void *argument)
{
    struct begin begin = *(struct begin *)argument;
    free(argument);
    return (void *)(intptr_t)begin.run(begin.argument);
}

SHOWN int thrd_create(thrd_t *thread, thrd_start_t start, void *argument)
{
    struct begin *begin = malloc(sizeof(*begin));
    if (!begin)
        return thrd_nomem;
    *begin = (struct begin){start, argument};
    int error = pthread_create(thread, NULL, run, begin);
    if (error)
        free(begin);
    return outcome(error);
}

SHOWN int thrd_join(thrd_t thread, int *result)
{
    void *returned = NULL;
    int error = pthread_join(thread, &returned);
    if (result)
        *result = (int)(intptr_t)returned;
    return outcome(error);
}

SHOWN int thrd_detach(thrd_t thread)
{
    return outcome(pthread_detach(thread));
}

SHOWN void call_once(once_flag *flag, void (*function)(void))
{
    (void)pthread_once((pthread_once_t *)(void *)flag, function);
}

SHOWN int mtx_init(mtx_t *mutex, int type)
{
    pthread_mutexattr_t attributes;
    (void)pthread_mutexattr_init(&attributes);
    if (type & mtx_recursive)
        (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    int error = pthread_mutex_init((pthread_mutex_t *)(void *)mutex, &attributes);
    (void)pthread_mutexattr_destroy(&attributes);
    return outcome(error);
}

SHOWN int mtx_lock(mtx_t *mutex)
{
    return outcome(pthread_mutex_lock((pthread_mutex_t *)(void *)mutex));
}

SHOWN int mtx_trylock(mtx_t *mutex)
{
    return outcome(pthread_mutex_trylock((pthread_mutex_t *)(void *)mutex));
}

SHOWN int mtx_timedlock(mtx_t *mutex, const struct timespec *until)
{
    return outcome(pthread_mutex_timedlock((pthread_mutex_t *)(void *)mutex, until));
}

SHOWN int mtx_unlock(mtx_t *mutex)
{
    return outcome(pthread_mutex_unlock((pthread_mutex_t *)(void *)mutex));
}

SHOWN void mtx_destroy(mtx_t *mutex)
{
    (void)pthread_mutex_destroy((pthread_mutex_t *)(void *)mutex);
}

SHOWN int cnd_init(cnd_t *condition)
{
    return outcome(pthread_cond_init((pthread_cond_t *)(void *)condition, NULL));
}

SHOWN int cnd_signal(cnd_t *condition)
{
    return outcome(pthread_cond_signal((pthread_cond_t *)(void *)condition));
}

SHOWN int cnd_broadcast(cnd_t *condition)
{
    return outcome(pthread_cond_broadcast((pthread_cond_t *)(void *)condition));
}

SHOWN int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    return outcome(
        pthread_cond_wait((pthread_cond_t *)(void *)condition, (pthread_mutex_t *)(void *)mutex));
}

SHOWN int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until)
{
    return outcome(pthread_cond_timedwait((pthread_cond_t *)(void *)condition,
                                          (pthread_mutex_t *)(void *)mutex, until));
}

SHOWN void cnd_destroy(cnd_t *condition)
{
    (void)pthread_cond_destroy((pthread_cond_t *)(void *)condition);
}
