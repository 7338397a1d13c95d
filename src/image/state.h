// What the command has written for this process.
#pragma once

#include "image/contract.h"

namespace clockshim {

// Protected: the command finds it by its name, and the image itself needs no table to find it by.
__attribute__((visibility("protected"))) extern constinit ImageSettings g_settings asm(
    "clockshim_image_settings");

}  // namespace clockshim
