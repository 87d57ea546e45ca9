/* What a header is compiled in front of: the one declaration that standard C wants of a file. */
typedef int alone;
