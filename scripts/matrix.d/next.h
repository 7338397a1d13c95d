// What the matrix's own preloads share: the functions of the next library in line that is named
// libclockshim.so. Found by the loader's list and without dlsym, which may allocate: an allocator
// that asks for the time while it starts would come back to itself.
#pragma once

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <string.h>

static int is_shim(const struct link_map* m) {
  const char* slash = strrchr(m->l_name, '/');
  return slash != NULL && strcmp(slash, "/libclockshim.so") == 0;
}

// The function of that name in the module, or null. The string table stands behind the symbols, as
// the linkers put it.
static void* function_in(const struct link_map* m, const char* name) {
  const Elf64_Sym* symbols = NULL;
  const char* strings = NULL;
  for (const Elf64_Dyn* d = m->l_ld; d->d_tag != DT_NULL; ++d) {
    if (d->d_tag == DT_SYMTAB) symbols = (const Elf64_Sym*)d->d_un.d_ptr;
    if (d->d_tag == DT_STRTAB) strings = (const char*)d->d_un.d_ptr;
  }
  for (const Elf64_Sym* s = symbols; s != NULL && (const char*)s < strings; ++s) {
    const int defined = s->st_shndx != SHN_UNDEF;
    if (defined && strcmp(strings + s->st_name, name) == 0) return (void*)(m->l_addr + s->st_value);
  }
  return NULL;
}

// That of the first libclockshim.so behind the module that `own` is an address in.
static void* next_function(const void* own, const char* name) {
  const struct link_map* m = _r_debug.r_map;
  const struct link_map* mine = NULL;
  for (; m != NULL; m = m->l_next) {  // the greatest load address below `own` is its module
    if (m->l_addr <= (size_t)own && (mine == NULL || m->l_addr > mine->l_addr)) mine = m;
  }
  for (m = mine; m != NULL && m->l_next != NULL; m = m->l_next) {
    void* found = is_shim(m->l_next) ? function_in(m->l_next, name) : NULL;
    if (found != NULL) return found;
  }
  return NULL;
}
