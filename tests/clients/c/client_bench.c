/* A client of Paho C (MQTTAsync) that `cargo xtask client-bench` measures:
 * client LIBRARY publish|subscribe QOS MESSAGES WINDOW PORT
 * prints nanoseconds of the processor, nanoseconds, and the most KiB it ever had. */

#include <MQTTAsync.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TOPIC "bench/building/7/temperature"
#define LAST_TOPIC "bench/last"
#define PAYLOAD_BYTES 64
#define PATIENCE_SECONDS 120

static MQTTAsync client;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long under_way;
static long to_receive;

static void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void begun(void) {
    pthread_mutex_lock(&lock);
    under_way++;
    pthread_mutex_unlock(&lock);
}

static void on_success(void *context, MQTTAsync_successData *response) {
    (void)context;
    (void)response;
    pthread_mutex_lock(&lock);
    under_way--;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
}

static void on_failure(void *context, MQTTAsync_failureData *response) {
    (void)context;
    (void)response;
    fail("the broker or the library refuses");
}

/* Waits until less than this many are under way. */
static void wait_below(long window) {
    pthread_mutex_lock(&lock);
    while (under_way >= window) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static int on_message(void *context, char *topic, int topic_length, MQTTAsync_message *message) {
    (void)context;
    (void)topic_length;
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    pthread_mutex_lock(&lock);
    if (--to_receive == 0) {
        pthread_cond_signal(&changed);
    }
    pthread_mutex_unlock(&lock);
    return 1;
}

static long long nanoseconds(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static long peak_kibibytes(void) {
    char line[256];
    long kibibytes = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status != NULL && fgets(line, sizeof line, status) != NULL) {
        sscanf(line, "VmHWM: %ld kB", &kibibytes);
    }
    if (status != NULL) {
        fclose(status);
    }
    return kibibytes;
}

static void publish(const char *topic, const char *payload, int length, int qos) {
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.onSuccess = on_success;
    options.onFailure = on_failure;
    begun();
    if (MQTTAsync_send(client, topic, length, payload, qos, 0, &options) != MQTTASYNC_SUCCESS) {
        fail("MQTTAsync_send");
    }
}

static void publish_all(int qos, long messages, long window) {
    char payload[PAYLOAD_BYTES];
    memset(payload, 'x', sizeof payload);
    for (long number = 0; number < messages; number++) {
        wait_below(window);
        publish(TOPIC, payload, sizeof payload, qos);
    }
    publish(LAST_TOPIC, "", 0, 1);
    wait_below(1);
}

static void receive_all(void) {
    puts("ready");
    fflush(stdout);
    pthread_mutex_lock(&lock);
    while (to_receive > 0) {
        pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
}

static void start(const char *port, int window) {
    char url[64];
    snprintf(url, sizeof url, "tcp://127.0.0.1:%s", port);
    MQTTAsync_create(&client, url, "bench", MQTTCLIENT_PERSISTENCE_NONE, NULL);
    MQTTAsync_setCallbacks(client, NULL, NULL, on_message, NULL);
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    options.cleansession = 1;
    options.keepAliveInterval = 60;
    options.maxInflight = window;
    options.MQTTVersion = MQTTVERSION_3_1_1;
    options.onSuccess = on_success;
    options.onFailure = on_failure;
    begun();
    if (MQTTAsync_connect(client, &options) != MQTTASYNC_SUCCESS) {
        fail("MQTTAsync_connect");
    }
    wait_below(1);
}

static void subscribe(int qos) {
    MQTTAsync_responseOptions options = MQTTAsync_responseOptions_initializer;
    options.onSuccess = on_success;
    options.onFailure = on_failure;
    begun();
    if (MQTTAsync_subscribe(client, "bench/#", qos, &options) != MQTTASYNC_SUCCESS) {
        fail("MQTTAsync_subscribe");
    }
    wait_below(1);
}

int main(int count, char **arguments) {
    if (count != 8) {
        fail("client LIBRARY publish|subscribe QOS MESSAGES WINDOW PORT");
    }
    alarm(PATIENCE_SECONDS);
    int is_publisher = strcmp(arguments[3], "publish") == 0;
    int qos = atoi(arguments[4]);
    long messages = atol(arguments[5]);
    int window = atoi(arguments[6]);
    start(arguments[7], window);
    to_receive = messages;
    if (!is_publisher) {
        subscribe(qos);
    }
    long long processor = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    long long clock = nanoseconds(CLOCK_MONOTONIC);
    if (is_publisher) {
        publish_all(qos, messages, window);
    } else {
        receive_all();
    }
    processor = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - processor;
    clock = nanoseconds(CLOCK_MONOTONIC) - clock;
    printf("%lld %lld %ld\n", processor, clock, peak_kibibytes());
    fflush(stdout);
    _exit(0);
}
