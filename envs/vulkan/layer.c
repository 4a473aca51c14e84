/* Vulkan layer that drops device extensions which the driver does not offer.
 *
 * Why: SAPIEN 2.x and 3.0.0b1 always enable VK_KHR_external_semaphore_fd, which they use to share
 * pictures with CUDA. A software driver has neither CUDA nor that extension, so vkCreateDevice
 * fails with VK_ERROR_EXTENSION_NOT_PRESENT although nothing that follows would use it. Between
 * application and driver, this layer leaves such names out of the request. Everything else passes.
 *
 * The Vulkan loader itself refuses an extension that neither the driver nor a layer lists, before
 * any layer sees the call; so the manifest (lavapipe.py) declares it as provided here.
 *
 * Interface: "Architecture of the Vulkan Loader Interfaces", part "Layer Interface" (Khronos).
 */
#include <stdlib.h>
#include <string.h>
#include <vulkan/vk_layer.h>
#include <vulkan/vulkan.h>

/* Next functions of the chain, one row per living instance or device. The first word of every
 * dispatchable Vulkan handle is its dispatch table, which a physical device shares with its
 * instance, so that word identifies the row. */
typedef struct {
    void *key;
    void *handle;
    PFN_vkGetInstanceProcAddr instance_proc;
    PFN_vkGetDeviceProcAddr device_proc;
} Link;

enum { LINKS = 64 };
static Link links[LINKS];

static void *key_of(void *handle) { return *(void **)handle; }

static Link *find(void *key) {
    for (int i = 0; i < LINKS; i++)
        if (links[i].key == key) return &links[i];
    return NULL;
}

static PFN_vkVoidFunction VKAPI_CALL instance_proc(VkInstance instance, const char *name);
static PFN_vkVoidFunction VKAPI_CALL device_proc(VkDevice device, const char *name);

/* The loader hands the next layer's functions down in a list element of the create info. Both
 * kinds of element begin alike (sType, pNext, function), so one search serves both. */
static void *chain_element(const void *first, VkStructureType type) {
    VkLayerInstanceCreateInfo *element = (VkLayerInstanceCreateInfo *)first;
    while (element && !(element->sType == type && element->function == VK_LAYER_LINK_INFO))
        element = (VkLayerInstanceCreateInfo *)element->pNext;
    return element;
}

static VkResult VKAPI_CALL create_instance(const VkInstanceCreateInfo *info,
                                           const VkAllocationCallbacks *allocator,
                                           VkInstance *instance) {
    VkLayerInstanceCreateInfo *element =
        chain_element(info->pNext, VK_STRUCTURE_TYPE_LOADER_INSTANCE_CREATE_INFO);
    Link *row = find(NULL);
    if (!element || !row) return VK_ERROR_INITIALIZATION_FAILED;
    PFN_vkGetInstanceProcAddr next = element->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    element->u.pLayerInfo = element->u.pLayerInfo->pNext;
    PFN_vkCreateInstance create = (PFN_vkCreateInstance)next(NULL, "vkCreateInstance");
    VkResult result = create(info, allocator, instance);
    if (result == VK_SUCCESS) *row = (Link){key_of(*instance), *instance, next, NULL};
    return result;
}

static int listed(const char *name, const VkExtensionProperties *offered, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (!strcmp(offered[i].extensionName, name)) return 1;
    return 0;
}

/* Number of names written to `kept`: those of `info` that the driver lists. */
static uint32_t keep_offered(Link *instance, VkPhysicalDevice physical,
                             const VkDeviceCreateInfo *info, const char **kept) {
    PFN_vkEnumerateDeviceExtensionProperties enumerate =
        (PFN_vkEnumerateDeviceExtensionProperties)instance->instance_proc(
            instance->handle, "vkEnumerateDeviceExtensionProperties");
    uint32_t count = 0, n = 0;
    enumerate(physical, NULL, &count, NULL);
    VkExtensionProperties *offered = calloc(count + 1, sizeof *offered);
    if (!offered) return 0;
    enumerate(physical, NULL, &count, offered);
    for (uint32_t i = 0; i < info->enabledExtensionCount; i++)
        if (listed(info->ppEnabledExtensionNames[i], offered, count))
            kept[n++] = info->ppEnabledExtensionNames[i];
    free(offered);
    return n;
}

static VkResult VKAPI_CALL create_device(VkPhysicalDevice physical, const VkDeviceCreateInfo *info,
                                         const VkAllocationCallbacks *allocator, VkDevice *device) {
    VkLayerDeviceCreateInfo *element =
        chain_element(info->pNext, VK_STRUCTURE_TYPE_LOADER_DEVICE_CREATE_INFO);
    Link *instance = find(key_of(physical)), *row = find(NULL);
    if (!element || !instance || !row) return VK_ERROR_INITIALIZATION_FAILED;
    PFN_vkGetInstanceProcAddr next = element->u.pLayerInfo->pfnNextGetInstanceProcAddr;
    PFN_vkGetDeviceProcAddr next_device = element->u.pLayerInfo->pfnNextGetDeviceProcAddr;
    element->u.pLayerInfo = element->u.pLayerInfo->pNext;
    PFN_vkCreateDevice create = (PFN_vkCreateDevice)next(instance->handle, "vkCreateDevice");

    const char **kept = calloc(info->enabledExtensionCount + 1, sizeof *kept);
    if (!kept) return VK_ERROR_OUT_OF_HOST_MEMORY;
    VkDeviceCreateInfo request = *info;
    request.enabledExtensionCount = keep_offered(instance, physical, info, kept);
    request.ppEnabledExtensionNames = kept;
    VkResult result = create(physical, &request, allocator, device);
    if (result == VK_SUCCESS) *row = (Link){key_of(*device), *device, NULL, next_device};
    free(kept);
    return result;
}

static void VKAPI_CALL destroy_instance(VkInstance instance,
                                        const VkAllocationCallbacks *allocator) {
    Link *row = instance ? find(key_of(instance)) : NULL;
    if (!row) return;
    PFN_vkDestroyInstance destroy =
        (PFN_vkDestroyInstance)row->instance_proc(instance, "vkDestroyInstance");
    *row = (Link){0};
    destroy(instance, allocator);
}

static void VKAPI_CALL destroy_device(VkDevice device, const VkAllocationCallbacks *allocator) {
    Link *row = device ? find(key_of(device)) : NULL;
    if (!row) return;
    PFN_vkDestroyDevice destroy = (PFN_vkDestroyDevice)row->device_proc(device, "vkDestroyDevice");
    *row = (Link){0};
    destroy(device, allocator);
}

#define OURS(wanted, function) \
    if (!strcmp(name, wanted)) return (PFN_vkVoidFunction)(function)

static PFN_vkVoidFunction VKAPI_CALL device_proc(VkDevice device, const char *name) {
    OURS("vkGetDeviceProcAddr", device_proc);
    OURS("vkDestroyDevice", destroy_device);
    Link *row = find(key_of(device));
    return row ? row->device_proc(device, name) : NULL;
}

static PFN_vkVoidFunction VKAPI_CALL instance_proc(VkInstance instance, const char *name) {
    OURS("vkGetInstanceProcAddr", instance_proc);
    OURS("vkGetDeviceProcAddr", device_proc);
    OURS("vkCreateInstance", create_instance);
    OURS("vkDestroyInstance", destroy_instance);
    OURS("vkCreateDevice", create_device);
    OURS("vkDestroyDevice", destroy_device);
    Link *row = instance ? find(key_of(instance)) : NULL;
    return row ? row->instance_proc(instance, name) : NULL;
}

/* The loader's entry point: the only symbol that this library exports. */
__attribute__((visibility("default"))) VkResult VKAPI_CALL
vkNegotiateLoaderLayerInterfaceVersion(VkNegotiateLayerInterface *agreed) {
    if (agreed->loaderLayerInterfaceVersion > 2) agreed->loaderLayerInterfaceVersion = 2;
    agreed->pfnGetInstanceProcAddr = instance_proc;
    agreed->pfnGetDeviceProcAddr = device_proc;
    agreed->pfnGetPhysicalDeviceProcAddr = NULL;
    return VK_SUCCESS;
}
