# Compiles one shim: MODULE's folder and common/ into target/modules/MODULE.so, against target/kamailio/tree.
# Called by the Makefile, from the top folder, with MODULE set and after `kamailio-glue/build/headers`.
CC ?= gcc
tree := target/kamailio/tree
objects_dir := target/glue/$(MODULE)
sources := $(wildcard kamailio-glue/common/*.c kamailio-glue/$(MODULE)/*.c)
objects := $(patsubst kamailio-glue/%.c,$(objects_dir)/%.o,$(sources))
product := target/modules/$(MODULE).so

# Kamailio's headers do not compile cleanly under these warnings, hence -isystem; the shims do.
flags := -std=gnu11 -O2 -g -fPIC -pthread \
	-Wall -Wextra -Werror -Wshadow -Wconversion \
	@$(tree)/flags -DMOD_NAME='"$(MODULE)"' \
	-Iinclude -Ikamailio-glue/common -isystem $(tree)/src $(CFLAGS)
# libsipbus.so is the one beside the module, whatever LD_LIBRARY_PATH says: hence the older kind of rpath, which
# comes before it. Under `cargo test` that path leads to a libsipbus.so with no engine beside it.
link := -shared -pthread -Wl,--as-needed -Wl,-z,relro,-z,now $(LDFLAGS) -Ltarget/modules -lsipbus \
	-Wl,-rpath,'$$ORIGIN' -Wl,--disable-new-dtags

all: $(product)
	@:

# Holds all that decides about the objects besides their files; rewritten only when it changes.
stamp := $(objects_dir)/flags
$(shell mkdir -p $(objects_dir))
$(file >$(stamp).new,$(CC) $(flags) $(link) $(shell readlink $(tree)) $(file <$(tree)/flags) $(objects))
$(shell cmp -s $(stamp).new $(stamp) || cp $(stamp).new $(stamp); rm -f $(stamp).new)

$(objects_dir)/%.o: kamailio-glue/%.c $(stamp)
	@mkdir -p $(@D)
	@echo "compiling $<"
	@$(CC) $(flags) -MD -MP -c -o $@ $<

$(product): $(objects) target/modules/libsipbus.so
	@echo "linking $@"
	@$(CC) -o $@.new $(objects) $(link)
	@kamailio-glue/build/check $@.new || { rm -f $@.new; exit 1; }
	@mv $@.new $@

.PHONY: all
-include $(objects:.o=.d)
