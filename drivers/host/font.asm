; The console font's glyphs, taken from Debian's console-setup-linux at build time.

global framebuffer_font
section .rodata align=16
framebuffer_font:
	incbin "font.bin"
