namespace OpenPlatform.Catalog;

/// <summary>Marks this assembly for <c>WebApplicationFactory&lt;CatalogApp&gt;</c>: three services have a <c>Program</c>.</summary>
public sealed class CatalogApp
{
    private CatalogApp()
    {
    }
}
