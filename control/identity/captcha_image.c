/* SPDX-License-Identifier: Apache-2.0 */
/* libgd's built-in font, each letter scaled, turned and shifted by chance, with lines and dots over
 * it. No font files, so it draws the same on every machine. */
#include <gd.h>
#include <gdfontg.h>

#include "identity/inner.h"

#define WIDTH  190
#define HEIGHT 64
#define LETTER 44 /* pixels of a letter's square, scaled */
#define LINES  7
#define DOTS   500

static int chance(int below)
{
    uint32_t r;

    crypto_random(&r, sizeof r);
    return (int)(r % (uint32_t)below);
}

static int ink(gdImagePtr im)
{
    return gdImageColorAllocateAlpha(im, chance(110), chance(110), chance(110), 0);
}

static gdImagePtr new_image(int width, int height)
{
    gdImagePtr im = gdImageCreateTrueColor(width, height);

    if (im) {
        gdImageAlphaBlending(im, 0);
        gdImageFilledRectangle(im, 0, 0, width - 1, height - 1,
                               gdTrueColorAlpha(255, 255, 255, 127));
        gdImageAlphaBlending(im, 1);
        gdImageSaveAlpha(im, 1);
    }
    return im;
}

static bool draw_letter(gdImagePtr im, char letter, int index)
{
    gdFontPtr font = gdFontGetGiant();
    gdImagePtr small = new_image(font->w + 4, font->h + 4), big = new_image(LETTER, LETTER);
    bool ok = small && big;

    if (ok) {
        gdImageChar(small, font, 2, 2, (unsigned char)letter, ink(small));
        int width = LETTER - 10 + chance(10), height = LETTER - 10 + chance(10);
        gdImageAlphaBlending(big, 0);
        gdImageCopyResampled(big, small, 0, 0, 0, 0, width, height, small->sx, small->sy);
        gdImageCopyRotated(im, big, 26.0 + index * 34 + chance(7) - 3,
                           HEIGHT / 2.0 + chance(11) - 5, 0, 0, LETTER, LETTER, chance(51) - 25);
    }
    if (small) {
        gdImageDestroy(small);
    }
    if (big) {
        gdImageDestroy(big);
    }
    return ok;
}

static void draw_noise(gdImagePtr im)
{
    for (int i = 0; i < LINES; i++) {
        gdImageSetThickness(im, 1 + chance(2));
        gdImageArc(im, chance(WIDTH), chance(HEIGHT), 40 + chance(WIDTH), 20 + chance(HEIGHT),
                   chance(360), 360 + chance(180), ink(im));
    }
    for (int i = 0; i < DOTS; i++) {
        gdImageSetPixel(im, chance(WIDTH), chance(HEIGHT), ink(im));
    }
}

void *captcha_image(const char text[static CAPTCHA_CHARS + 1], int *n)
{
    gdImagePtr im = gdImageCreateTrueColor(WIDTH, HEIGHT);
    void *png = NULL;
    bool ok = im != NULL;

    if (ok) {
        gdImageFilledRectangle(im, 0, 0, WIDTH - 1, HEIGHT - 1, gdTrueColor(244, 246, 250));
    }
    for (int i = 0; ok && i < CAPTCHA_CHARS; i++) {
        ok = draw_letter(im, text[i], i);
    }
    if (ok) {
        draw_noise(im);
        png = gdImagePngPtr(im, n);
    }
    if (im) {
        gdImageDestroy(im);
    }
    return png;
}

void captcha_image_free(void *png)
{
    gdFree(png);
}
