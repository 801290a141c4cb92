// Programs of Rust ask `bcryptprimitives.dll` for random numbers. Wine 8 has no such library: this one asks another.
#include <windows.h>

BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE at, SIZE_T left) {
    while (left) {
        ULONG part = left > 0x10000000 ? 0x10000000 : (ULONG)left;
        if (!SystemFunction036(at, part)) return FALSE;
        at += part;
        left -= part;
    }
    return TRUE;
}
