/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/crypto.h"

static char dir[] = "/tmp/sluice-crypto-XXXXXX";

static const char *in_dir(const char *name)
{
    static char path[2][128];
    static int turn;
    turn ^= 1;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

static size_t unhex(uint8_t *out, const char *hex)
{
    size_t n = 0;
    unsigned byte;
    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
        out[n++] = (uint8_t)byte;
    }
    return n;
}

static void assert_hex(const uint8_t *got, size_t n, const char *hex)
{
    uint8_t want[256];
    assert_int_equal(unhex(want, hex), n);
    assert_memory_equal(got, want, n);
}

static const struct {
    enum crypto_hash alg;
    const char *text;
    int times;
    const char *hash;
} hashes[] = {
    /* GB/T 32905-2016 appendix A */
    {CRYPTO_SM3, "abc", 1, "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"},
    {CRYPTO_SM3, "abcd", 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"},
    {CRYPTO_SM3, "", 1, "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"},
    /* FIPS 180-4 */
    {CRYPTO_SHA256, "abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {CRYPTO_SHA256, "", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {CRYPTO_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
     "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void hash_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
        char text[256] = "";
        for (int t = 0; t < hashes[i].times; t++) {
            strcat(text, hashes[i].text);
        }
        uint8_t out[CRYPTO_HASH_LEN];
        crypto_hash(hashes[i].alg, text, strlen(text), out);
        assert_hex(out, sizeof out, hashes[i].hash);

        struct crypto_hasher h;
        crypto_hasher_init(&h, hashes[i].alg);
        crypto_hasher_add(&h, "something before", 16);
        crypto_hasher_end(&h, out);
        crypto_hasher_reset(&h);
        for (size_t at = 0; at < strlen(text); at++) {
            crypto_hasher_add(&h, text + at, 1);
        }
        crypto_hasher_end(&h, out);
        assert_hex(out, sizeof out, hashes[i].hash);
        crypto_hasher_fini(&h);
    }
}

#define LONG_TEXT "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"

static const struct {
    enum crypto_hash alg;
    const char *key_hex, *text, *mac;
} macs[] = {
    /* GM/T 0042-2015 */
    {CRYPTO_SM3, "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20",
     LONG_TEXT LONG_TEXT, "ca05e144ed05d1857840d1f318a4a8669e559fc8391f414485bfdf7bb408963a"},
    {CRYPTO_SM3, "4a656665", "what do ya want for nothing?",
     "2e87f1d16862e6d964b50a5200bf2b10b764faa9680a296a2405f24bec39f882"},
    /* RFC 4231, cases 1, 2 and 6 */
    {CRYPTO_SHA256, "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "Hi There",
     "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
    {CRYPTO_SHA256, "4a656665", "what do ya want for nothing?",
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {CRYPTO_SHA256, NULL /* 131 times aa */,
     "Test Using Larger Than Block-Size Key - Hash Key First",
     "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
};

static void hmac_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof macs / sizeof *macs; i++) {
        uint8_t key[256], out[CRYPTO_HASH_LEN];
        size_t key_n = 131;
        memset(key, 0xaa, sizeof key);
        if (macs[i].key_hex != NULL) {
            key_n = unhex(key, macs[i].key_hex);
        }
        struct crypto_hmac *h = crypto_hmac_new(macs[i].alg, key, key_n);
        for (int again = 0; again < 3; again++) { /* the keyed state serves many messages */
            crypto_hmac_sign(h, macs[i].text, strlen(macs[i].text), out);
            assert_hex(out, sizeof out, macs[i].mac);
            crypto_hmac_begin(h);
            for (size_t at = 0; at < strlen(macs[i].text); at++) {
                crypto_hmac_add(h, macs[i].text + at, 1);
            }
            crypto_hmac_end(h, out);
            assert_hex(out, sizeof out, macs[i].mac);
            crypto_hmac_sign(h, "another", 7, out);
        }
        crypto_hmac_free(&h);
        assert_null(h);
    }
}

static void derive_differs(void **state)
{
    (void)state;
    uint8_t master[CRYPTO_KEY_LEN] = {7}, a[CRYPTO_KEY_LEN], b[CRYPTO_KEY_LEN];
    crypto_derive(master, "link.call", a);
    crypto_derive(master, "feed.secret", b);
    assert_memory_not_equal(a, b, sizeof a);
    crypto_derive(master, "link.call", b);
    assert_memory_equal(a, b, sizeof a);
    master[31] ^= 1;
    crypto_derive(master, "link.call", b);
    assert_memory_not_equal(a, b, sizeof a);
}

/* RFC 8998 appendix A.1, laid out as a sealed text. */
static void seal_vector(void **state)
{
    (void)state;
    uint8_t key[CRYPTO_KEY_LEN], aad[64], text[64], sealed[128], out[128];
    unhex(key, "0123456789abcdeffedcba987654321000000000000000000000000000000000");
    size_t aad_n = unhex(aad, "feedfacedeadbeeffeedfacedeadbeefabaddad2");
    size_t text_n = unhex(text, "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
                                "eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa");
    size_t sealed_n =
        unhex(sealed, "00001234567800000000abcd"
                      "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
                      "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
                      "83de3541e4c2b58177e065a9bf7b62ec");
    assert_int_equal(sealed_n, text_n + CRYPTO_SEAL_EXTRA);
    struct slice a = slice_of((char *)aad, aad_n);
    assert_int_equal(crypto_open(key, a, sealed, sealed_n, out), CRYPTO_OK);
    assert_memory_equal(out, text, text_n);
}

static void seal_refusals(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 15, 16, 17, 4096};
    static const uint8_t zeros[5000];
    uint8_t key[CRYPTO_KEY_LEN], text[4096], sealed[5000], out[5000];
    crypto_random(key, sizeof key);
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i], sealed_n = n + CRYPTO_SEAL_EXTRA;
        crypto_seal(key, SLICE("who"), text, n, sealed);
        assert_int_equal(crypto_open(key, SLICE("who"), sealed, sealed_n, out), CRYPTO_OK);
        assert_memory_equal(out, text, n);
        assert_int_equal(crypto_open(key, SLICE("whi"), sealed, sealed_n, out), CRYPTO_EVERIFY);
        assert_memory_equal(out, zeros, n);
        assert_int_equal(crypto_open(key, SLICE(""), sealed, sealed_n, out), CRYPTO_EVERIFY);
        for (size_t at = 0; at < sealed_n; at += 1 + n / 20) { /* nonce, text and tag */
            sealed[at] ^= 0x10;
            assert_int_equal(crypto_open(key, SLICE("who"), sealed, sealed_n, out), CRYPTO_EVERIFY);
            sealed[at] ^= 0x10;
        }
        enum crypto_err cut = n > 0 ? CRYPTO_EVERIFY : CRYPTO_EFORMAT;
        assert_int_equal(crypto_open(key, SLICE("who"), sealed, sealed_n - 1, out), cut);
        key[0] ^= 1;
        assert_int_equal(crypto_open(key, SLICE("who"), sealed, sealed_n, out), CRYPTO_EVERIFY);
        key[0] ^= 1;
    }
    uint8_t again[CRYPTO_SEAL_EXTRA];
    crypto_seal(key, SLICE(""), "", 0, sealed);
    crypto_seal(key, SLICE(""), "", 0, again);
    assert_memory_not_equal(sealed, again, 12); /* a nonce is never used twice */
}

/* GM/T 0003.5-2012: the recommended curve, public key xA yA, message "message digest". */
static const char sm2_public[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAECfnfMR5UIaFQ3X0WHkvFxnIXn60Y\n"
    "M/wHa7CP81bzUCDM6kkM4md1pS3G6nGMwapgCu0F+/NeCEpmMvYHLamtEw==\n"
    "-----END PUBLIC KEY-----\n";
static const char sm2_signature[] =
    "3046022100f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3"
    "022100b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa";

static void put(const char *path, const char *bytes, size_t n, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, n), n);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void sm2_vector(void **state)
{
    (void)state;
    put(in_dir("gmt.pub"), sm2_public, sizeof sm2_public - 1, 0644);
    struct crypto_sm2 *key;
    assert_int_equal(crypto_sm2_load(&key, in_dir("gmt.pub")), CRYPTO_OK);
    uint8_t sig[CRYPTO_SM2_SIG_MAX];
    size_t n = unhex(sig, sm2_signature);
    assert_int_equal(crypto_sm2_verify(key, "message digest", 14, sig, n), CRYPTO_OK);
    assert_int_equal(crypto_sm2_verify(key, "message digesT", 14, sig, n), CRYPTO_EVERIFY);
    sig[20] ^= 1;
    assert_int_equal(crypto_sm2_verify(key, "message digest", 14, sig, n), CRYPTO_EVERIFY);
    crypto_sm2_free(&key);
}

static void sm2_round_trip(void **state)
{
    (void)state;
    struct crypto_sm2 *key = crypto_sm2_new(), *loaded, *public_key;
    assert_int_equal(crypto_sm2_save(key, in_dir("a.key"), in_dir("a.pub")), CRYPTO_OK);
    assert_int_equal(crypto_sm2_save(key, in_dir("a.key"), in_dir("a.pub")), CRYPTO_EIO);
    assert_int_equal(errno, EEXIST);
    struct stat st;
    assert_int_equal(stat(in_dir("a.key"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(crypto_sm2_load(&loaded, in_dir("a.key")), CRYPTO_OK);
    assert_int_equal(crypto_sm2_load(&public_key, in_dir("a.pub")), CRYPTO_OK);
    for (int i = 0; i < 20; i++) {
        uint8_t sig[CRYPTO_SM2_SIG_MAX + 1] = {0};
        size_t n;
        crypto_sm2_sign(loaded, &i, sizeof i, sig, &n);
        assert_in_range(n, 8, CRYPTO_SM2_SIG_MAX);
        assert_int_equal(crypto_sm2_verify(public_key, &i, sizeof i, sig, n), CRYPTO_OK);
        assert_int_equal(crypto_sm2_verify(public_key, &i, 3, sig, n), CRYPTO_EVERIFY);
        assert_int_equal(crypto_sm2_verify(public_key, &i, sizeof i, sig, n - 1), CRYPTO_EVERIFY);
        assert_int_equal(crypto_sm2_verify(public_key, &i, sizeof i, sig, n + 1), CRYPTO_EVERIFY);
        assert_int_equal(crypto_sm2_verify(public_key, &i, sizeof i, sig, 0), CRYPTO_EVERIFY);
        assert_int_equal(crypto_sm2_verify(public_key, &i, sizeof i, sig, 5000), CRYPTO_EVERIFY);
    }
    crypto_sm2_free(&key);
    crypto_sm2_free(&loaded);
    crypto_sm2_free(&public_key);
    assert_null(key);
}

static void sm2_bad_files(void **state)
{
    (void)state;
    struct crypto_sm2 *key = NULL;
    assert_int_equal(crypto_sm2_load(&key, in_dir("none")), CRYPTO_EIO);
    assert_int_equal(errno, ENOENT);
    put(in_dir("junk"), "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", 57, 0600);
    assert_int_equal(crypto_sm2_load(&key, in_dir("junk")), CRYPTO_EFORMAT);
    put(in_dir("empty"), "", 0, 0600);
    assert_int_equal(crypto_sm2_load(&key, in_dir("empty")), CRYPTO_EFORMAT);
    EVP_PKEY *other = EVP_EC_gen("P-256");
    FILE *file = fopen(in_dir("p256"), "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PUBKEY(file, other), 1);
    fclose(file);
    EVP_PKEY_free(other);
    assert_int_equal(crypto_sm2_load(&key, in_dir("p256")), CRYPTO_EFORMAT);
    assert_null(key);
}

static void secrets(void **state)
{
    (void)state;
    uint8_t a[300] = {0}, b[300] = {0};
    crypto_random(a, sizeof a);
    assert_memory_not_equal(a, b, sizeof a);
    memcpy(b, a, sizeof a);
    assert_true(crypto_equal(a, b, sizeof a));
    b[299] ^= 1;
    assert_false(crypto_equal(a, b, sizeof a));
    assert_true(crypto_equal(a, b, 0));
    crypto_wipe(a, sizeof a);
    for (size_t i = 0; i < sizeof a; i++) {
        assert_int_equal(a[i], 0);
    }
}

static const struct {
    const char *name;
    size_t size;
    mode_t mode;
    enum crypto_err err;
} keyfiles[] = {
    {"good", 32, 0600, CRYPTO_OK},           {"read-only", 32, 0400, CRYPTO_OK},
    {"short", 31, 0600, CRYPTO_EFORMAT},     {"long", 33, 0600, CRYPTO_EFORMAT},
    {"none-in-it", 0, 0600, CRYPTO_EFORMAT}, {"group", 32, 0640, CRYPTO_EFORMAT},
    {"other", 32, 0604, CRYPTO_EFORMAT},     {"executable", 32, 0700, CRYPTO_EFORMAT},
};

static void keyfile_rows(void **state)
{
    (void)state;
    uint8_t key[CRYPTO_KEY_LEN], before[CRYPTO_KEY_LEN];
    char bytes[64];
    for (size_t i = 0; i < sizeof keyfiles / sizeof *keyfiles; i++) {
        memset(bytes, (int)i + 1, sizeof bytes);
        put(in_dir(keyfiles[i].name), bytes, keyfiles[i].size, keyfiles[i].mode);
        memset(key, '?', sizeof key);
        memset(before, '?', sizeof before);
        assert_int_equal(crypto_keyfile_load(in_dir(keyfiles[i].name), key), keyfiles[i].err);
        bool ok = keyfiles[i].err == CRYPTO_OK;
        assert_memory_equal(key, ok ? bytes : (char *)before, sizeof key);
        assert_int_equal(crypto_keyfile_create(in_dir(keyfiles[i].name), key), keyfiles[i].err);
    }
    assert_int_equal(crypto_keyfile_load(in_dir("nothing"), key), CRYPTO_EIO);
    assert_int_equal(crypto_keyfile_load(dir, key), CRYPTO_EFORMAT);
    assert_int_equal(crypto_keyfile_create("/nonexistent/dir/key", key), CRYPTO_EIO);
    assert_int_equal(mkfifo(in_dir("fifo"), 0600), 0);
    assert_int_equal(crypto_keyfile_load(in_dir("fifo"), key), CRYPTO_EFORMAT);
}

static void *create_key(void *out)
{
    return crypto_keyfile_create(in_dir("shared"), out) == CRYPTO_OK ? out : NULL;
}

/* Whoever is first, all end with the same key. */
static void keyfile_race(void **state)
{
    (void)state;
    uint8_t keys[8][CRYPTO_KEY_LEN];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    for (int i = 0; i < 8; i++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            bool good = create_key(keys[i]) != NULL;
            _exit(good && write(ends[1], keys[i], CRYPTO_KEY_LEN) == CRYPTO_KEY_LEN ? 0 : 1);
        }
    }
    for (int i = 0; i < 8; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
        assert_int_equal(read(ends[0], keys[i], CRYPTO_KEY_LEN), CRYPTO_KEY_LEN);
        assert_memory_equal(keys[i], keys[0], CRYPTO_KEY_LEN);
    }
    close(ends[0]);
    close(ends[1]);
}

static void passwords(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "$argon2id$",
        "$argon2i$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=999999999,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=19456,t=999999,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$argon2id$v=19$m=19456,t=2,p=1$AA$AA",
        "$argon2id$v=19$m=19456,t=2,p=1$",
    };
    char phc[CRYPTO_PASSWORD_MAX], other[CRYPTO_PASSWORD_MAX];
    crypto_password_hash(SLICE("correct horse"), phc);
    crypto_password_hash(SLICE("correct horse"), other);
    assert_memory_equal(phc, "$argon2id$v=19$m=19456,t=2,p=1$", 31);
    assert_string_not_equal(phc, other);
    assert_int_equal(crypto_password_verify(phc, SLICE("correct horse")), CRYPTO_OK);
    assert_int_equal(crypto_password_verify(phc, SLICE("correct horsf")), CRYPTO_EVERIFY);
    assert_int_equal(crypto_password_verify(phc, SLICE("")), CRYPTO_EVERIFY);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(crypto_password_verify(bad[i], SLICE("x")), CRYPTO_EFORMAT);
    }
}

/* Objects of one's own in each thread; an SM2 key may be shared. */
static void *work(void *arg)
{
    const struct crypto_sm2 *key = arg;
    struct crypto_hmac *h = crypto_hmac_new(CRYPTO_SM3, "k", 1);
    uint8_t secret[CRYPTO_KEY_LEN], mac[CRYPTO_HASH_LEN], sealed[100], out[100];
    uint8_t sig[CRYPTO_SM2_SIG_MAX];
    bool good = true;
    crypto_random(secret, sizeof secret);
    for (int i = 0; i < 20; i++) {
        size_t n;
        crypto_hmac_sign(h, secret, sizeof secret, mac);
        crypto_seal(secret, SLICE("a"), mac, sizeof mac, sealed);
        good = good && crypto_open(secret, SLICE("a"), sealed, 60, out) == CRYPTO_OK;
        crypto_sm2_sign(key, out, 32, sig, &n);
        good = good && crypto_sm2_verify(key, mac, 32, sig, n) == CRYPTO_OK;
    }
    crypto_hmac_free(&h);
    return good ? arg : NULL;
}

static void threads(void **state)
{
    (void)state;
    struct crypto_sm2 *key = crypto_sm2_new();
    pthread_t thread[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&thread[i], NULL, work, key), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *result;
        assert_int_equal(pthread_join(thread[i], &result), 0);
        assert_ptr_equal(result, key);
    }
    crypto_sm2_free(&key);
}

static X509 *read_crt(const char *name)
{
    FILE *file = fopen(in_dir(name), "r");
    assert_non_null(file);
    X509 *crt = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    assert_non_null(crt);
    return crt;
}

static void assert_chain(const char *leaf_name, int purpose)
{
    X509 *ca = read_crt("pki/ca.crt"), *leaf = read_crt(leaf_name);
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX_init(ctx, store, leaf, NULL);
    X509_STORE_CTX_set_purpose(ctx, purpose);
    assert_int_equal(X509_verify_cert(ctx), 1);
    assert_int_equal(X509_check_host(leaf, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "::1", 0), 1);
    assert_int_equal(X509_check_host(leaf, "gate.example", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(leaf, "other.example", 0, 0, NULL), 0);
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    X509_free(ca);
    X509_free(leaf);
}

static void pki_makes(void **state)
{
    (void)state;
    static const char *const names[] = {"control", "gateway"};
    static const char *const more[] = {"control", "gateway", "data"};
    char pki[64];
    snprintf(pki, sizeof pki, "%s/pki", dir);
    assert_int_equal(crypto_pki_ensure(pki, names, 2, "gate.example"), CRYPTO_OK);
    assert_chain("pki/control.crt", X509_PURPOSE_SSL_SERVER);
    assert_chain("pki/gateway.crt", X509_PURPOSE_SSL_CLIENT);
    struct stat st;
    static const char *const keys[] = {"pki/ca.key", "pki/control.key", "pki/gateway.key"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(stat(in_dir(keys[i]), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    X509 *before = read_crt("pki/control.crt"), *after;
    assert_int_equal(crypto_pki_ensure(pki, more, 3, "gate.example"), CRYPTO_OK);
    assert_chain("pki/data.crt", X509_PURPOSE_SSL_SERVER);
    after = read_crt("pki/control.crt");
    assert_int_equal(X509_cmp(before, after), 0); /* what is there and good stays */
    X509_free(after);
    assert_int_equal(crypto_pki_ensure(pki, names, 2, "10.1.2.3"), CRYPTO_OK);
    after = read_crt("pki/control.crt"); /* a new host needs a new certificate */
    assert_int_equal(X509_check_ip_asc(after, "10.1.2.3", 0), 1);
    X509_free(after);
    X509_free(before);
}

static size_t read_text(const char *name, char *out, size_t room)
{
    FILE *file = fopen(in_dir(name), "r");
    assert_non_null(file);
    size_t n = fread(out, 1, room - 1, file);
    fclose(file);
    out[n] = '\0';
    return n;
}

static void pki_keys_are_sealed(void **state)
{
    (void)state;
    static const char *const names[] = {"control"};
    static const char *const keys[] = {"pki3/ca.key", "pki3/control.key"};
    char pki[64], text[4096], before[4096], *pem = NULL;
    snprintf(pki, sizeof pki, "%s/pki3", dir);
    assert_int_equal(crypto_pki_ensure(pki, names, 1, NULL), CRYPTO_OK);
    for (size_t i = 0; i < 2; i++) {
        read_text(keys[i], text, sizeof text);
        assert_non_null(strstr(text, "BEGIN ENCRYPTED PRIVATE KEY"));
    }
    /* One that is plain is sealed, and stays the same key. */
    assert_int_equal(crypto_pki_key(in_dir("pki3/control.key"), &pem), CRYPTO_OK);
    assert_non_null(strstr(pem, "BEGIN PRIVATE KEY"));
    put(in_dir("pki3/control.key"), pem, strlen(pem), 0600);
    assert_int_equal(crypto_pki_ensure(pki, names, 1, NULL), CRYPTO_OK);
    read_text("pki3/control.key", text, sizeof text);
    assert_non_null(strstr(text, "BEGIN ENCRYPTED PRIVATE KEY"));
    char *again = NULL;
    assert_int_equal(crypto_pki_key(in_dir("pki3/control.key"), &again), CRYPTO_OK);
    assert_string_equal(again, pem);
    free(again);
    free(pem);
    /* Under another passphrase, or none, nothing opens and nothing is made anew. */
    read_text("pki3/ca.key", before, sizeof before);
    assert_int_equal(unlink(in_dir("pki3/passphrase")), 0);
    assert_int_equal(crypto_pki_ensure(pki, names, 1, NULL), CRYPTO_ELOCKED);
    put(in_dir("pki3/passphrase"), "another passphrase", 18, 0400);
    assert_int_equal(crypto_pki_ensure(pki, names, 1, NULL), CRYPTO_ELOCKED);
    assert_int_equal(crypto_pki_key(in_dir("pki3/ca.key"), &pem), CRYPTO_ELOCKED);
    assert_null(pem);
    read_text("pki3/ca.key", text, sizeof text);
    assert_string_equal(text, before);
    put(in_dir("pki3/none.key"), "junk", 4, 0600);
    assert_int_equal(crypto_pki_key(in_dir("pki3/none.key"), &pem), CRYPTO_EFORMAT);
    assert_int_equal(crypto_pki_key(in_dir("pki3/missing.key"), &pem), CRYPTO_EIO);
}

static void pki_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *name, *host;
    } rows[] = {
        {"../evil", NULL},  {"", NULL},     {"ca", NULL},
        {"Upper", NULL},    {"a.b", NULL},  {"ok", "x,IP:8.8.8.8"},
        {"ok", "bad host"}, {"ok", "a\nb"}, {"ok", "*.example"},
    };
    char pki[64];
    snprintf(pki, sizeof pki, "%s/pki2", dir);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(crypto_pki_ensure(pki, &rows[i].name, 1, rows[i].host), CRYPTO_EFORMAT);
    }
    const char *ok = "ok";
    assert_int_equal(crypto_pki_ensure("/nonexistent/a/b", &ok, 1, NULL), CRYPTO_EIO);
    put(in_dir("pki2/ca.crt"), "junk", 4, 0644); /* never replaced behind its users' backs */
    assert_int_equal(crypto_pki_ensure(pki, &ok, 1, NULL), CRYPTO_EFORMAT);
}

static int make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state)
{
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"[SW-9.3-3c, BK-7.1a] hash: standard vectors, at once and byte by byte", hash_vectors,
         NULL, NULL, NULL},
        {"hmac: standard vectors, a key used again and again", hmac_vectors, NULL, NULL, NULL},
        {"derive: one key per label", derive_differs, NULL, NULL, NULL},
        {"[SW-9.3-3b, BK-7.1a] seal: RFC 8998 A.1", seal_vector, NULL, NULL, NULL},
        {"[EC-6.1.4.3b] seal: every changed byte is refused", seal_refusals, NULL, NULL, NULL},
        {"[SW-9.3-3a, BK-7.1a] sm2: GM/T 0003.5 signature verifies", sm2_vector, NULL, NULL, NULL},
        {"[EC-6.1.4.3d] sm2: sign, save, load, verify, refuse", sm2_round_trip, NULL, NULL, NULL},
        {"sm2: files that are no SM2 key", sm2_bad_files, NULL, NULL, NULL},
        {"secret: random, equal, wipe", secrets, NULL, NULL, NULL},
        {"keyfile: size and mode", keyfile_rows, NULL, NULL, NULL},
        {"keyfile: eight processes at once agree", keyfile_race, NULL, NULL, NULL},
        {"[SW-9.5-1c] password: argon2id, and what is no PHC string", passwords, NULL, NULL, NULL},
        {"crypto: threads, each with its own objects", threads, NULL, NULL, NULL},
        {"pki: chain, names, modes, renewal", pki_makes, NULL, NULL, NULL},
        {"[BK-7.3.4b2] pki: keys are sealed, and nothing opens or is made anew without the "
         "passphrase",
         pki_keys_are_sealed, NULL, NULL, NULL},
        {"pki: names and files that are refused", pki_refuses, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
