# nm -n output of the linked image -> assembly of the symbol table (kernel/symbols.c). Without input: an empty table.
# Addresses are 0xffffffff8XXXXXXX: the last eight digits less 0x80000000 are the distance from IMAGE_BASE.
$2 ~ /^[tT]$/ && $3 !~ /\.\./ {
	offset = substr($1, 9)
	if (offset == last)
		next
	last = offset
	offsets = offsets "\tdd 0x" offset " - 0x80000000\n"
	name_offsets = name_offsets "\tdd " length_so_far "+0\n"
	names = names "\tdb \"" $3 "\", 0\n"
	length_so_far += length($3) + 1
	count++
}
END {
	print "global symbols_count, symbols_offsets, symbols_name_offsets, symbols_names"
	print "section .symbols progbits alloc noexec nowrite align=4"
	print "symbols_count:\n\tdd " (count + 0)
	print "symbols_offsets:\n" offsets "symbols_name_offsets:\n" name_offsets "symbols_names:\n" names "\tdb 0"
}
