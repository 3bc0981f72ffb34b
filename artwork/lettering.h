/* lettering: whether text that others draw through cairo becomes text or shapes. */
#pragma once
#include <stdbool.h>

/* cairo up to 1.16 misreads the widths of some letters when it embeds anew a CFF font that it took from a document: the
 * letters after them would overlap. So while this is on, every letter is drawn as its outline instead, which is also
 * what ink on paper is. It catches the calls of the PDF library: cairo_show_glyphs and cairo_show_text_glyphs are
 * defined here and hand on to cairo's own while this is off. */
void lettering_as_shapes(bool on);
