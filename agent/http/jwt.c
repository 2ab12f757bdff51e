/*
 * jwt.c
 *		Signs JSON web tokens (RFC 7519) with RS256, under a private key that is PEM.
 *
 * It must not know which service a token is for.
 */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "jwt.h"

/* No one types a pass phrase here. */
static int
no_phrase(char *buffer, int size, int writing, void *argument)
{
	(void) buffer;
	(void) size;
	(void) writing;
	(void) argument;
	return -1;
}

/* The RSA key in a PEM text; NULL: there is none, or it is encrypted. */
static EVP_PKEY *
read_key(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_phrase, NULL);

	BIO_free(bio);
	if (key != NULL && EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
	{
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

/* Base64, with the letters of URLs and without padding if url is set. */
static void
add_base64(Text *text, const unsigned char *bytes, size_t length, bool url)
{
	size_t size = 4 * ((length + 2) / 3) + 1;
	char *encoded = malloc(size);
	size_t end;

	if (encoded == NULL)
		return;
	end = (size_t) EVP_EncodeBlock((unsigned char *) encoded, bytes, (int) length);
	while (url && end > 0 && encoded[end - 1] == '=')
		end--;
	for (size_t i = 0; url && i < end; i++)
		encoded[i] = encoded[i] == '+' ? '-' : encoded[i] == '/' ? '_' : encoded[i];
	text_add_bytes(text, encoded, end);
	free(encoded);
}

static bool
add_json(Text *text, const json_t *value)
{
	char *json = json_dumps(value, JSON_COMPACT);

	if (json == NULL)
		return false;
	add_base64(text, (const unsigned char *) json, strlen(json), true);
	free(json);
	return true;
}

static bool
add_signature(Text *token, EVP_PKEY *key)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char signature[1024];
	size_t length = sizeof(signature);
	bool good = context != NULL &&
				EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
				EVP_DigestSign(context, signature, &length, (const unsigned char *) token->bytes,
							   token->length) == 1;

	EVP_MD_CTX_free(context);
	if (!good)
		return false;
	text_add(token, ".");
	add_base64(token, signature, length, true);
	return true;
}

/*
 * Write a token with these claims into an empty text; key_id may be NULL.  False: the key is
 * no RSA key without a pass phrase, and the text holds nothing of use.
 */
bool
jwt_sign(Text *token, const char *key_id, const json_t *claims, const char *pem)
{
	EVP_PKEY *key = read_key(pem);
	json_t *header = json_pack("{s:s, s:s, s:s*}", "alg", "RS256", "typ", "JWT", "kid", key_id);
	bool good = key != NULL && header != NULL && add_json(token, header);

	if (good)
		text_add(token, ".");
	good = good && add_json(token, claims) && add_signature(token, key);
	json_decref(header);
	EVP_PKEY_free(key);
	return good;
}

/* Add the fingerprint of the public key: SHA-256 of its DER form, as base64.  False: as above. */
bool
jwt_fingerprint(Text *fingerprint, const char *pem)
{
	EVP_PKEY *key = read_key(pem);
	unsigned char *der = NULL;
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length = 0;
	int size = key == NULL ? -1 : i2d_PUBKEY(key, &der);
	bool good =
		size > 0 && EVP_Digest(der, (size_t) size, digest, &length, EVP_sha256(), NULL) == 1;

	if (good)
		add_base64(fingerprint, digest, length, false);
	OPENSSL_free(der);
	EVP_PKEY_free(key);
	return good;
}
