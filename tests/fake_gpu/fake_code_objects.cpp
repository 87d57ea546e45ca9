// The code objects of the stand-in runtime: an image is the text "<architecture> <kernel>".
#include "gpu/code_objects.h"

#define IMAGE(text) reinterpret_cast<const unsigned char*>(text), sizeof(text)

const hiprope_code_object hiprope_code_objects[] = {
    {"gfx90a", "rope", IMAGE("gfx90a rope")},
    {"gfx90a", "position_embeddings", IMAGE("gfx90a position_embeddings")},
    {"gfx942", "rope", IMAGE("gfx942 rope")},
    {"gfx942", "position_embeddings", IMAGE("gfx942 position_embeddings")},
    // Says one architecture and holds another, as a broken build would.
    {"gfx1100", "rope", IMAGE("gfx1030 rope")},
    {"gfx1100", "position_embeddings", IMAGE("gfx1030 position_embeddings")},
};
const std::int32_t hiprope_code_object_total = 6;
